"""What a picture shows and what a turn asks: fields, items, looks, readings."""

from enum import StrEnum

from pydantic import Field

from cs_bot.records.base import Record
from cs_bot.records.words import Kind, Reason


class FieldState(StrEnum):
    """How far a field read from a picture may be trusted."""

    READ = "read"
    CONFIRM = "confirm"  # something was read but a guard fired: ask, never use as a key
    UNREADABLE = "unreadable"  # not there, cut off, or hidden


class ReadField(Record):
    """One field of an order screen. `value` is set for READ and CONFIRM; `guards` names what fired."""

    value: str | None = None
    state: FieldState = FieldState.UNREADABLE
    guards: tuple[str, ...] = ()
    box: tuple[int, int, int, int] | None = None  # left, top, right, bottom in pixels of the stored picture


ITEM_ATTRIBUTES = ("category", "brand", "colour", "material", "style", "code")
ASPECTS = ("exists", "price", "stock", "link", "colour", "size", "material", "fit", "compare", "advice")


class Item(Record):
    """One thing on a picture. `where`: whole, left, right, top, bottom, or a number in reading order.

    `attributes` has keys of ITEM_ATTRIBUTES; what could not be seen is left out. `colour` is a canonical name of
    knowledge/attributes.toml where it is known there, the other values are words as seen.
    """

    where: str = "whole"
    box: tuple[int, int, int, int] | None = None  # left, top, right, bottom in pixels of the stored picture
    attributes: dict[str, str] = Field(default_factory=dict)


ORDER_FIELDS = ("order_id", "amount", "currency", "status", "status_text", "order_time")


class Look(Record):
    """What one picture shows, whatever was asked.

    `kinds` are probabilities over the picture kinds and sum to 1. `fields` (order screens) has the keys of
    ORDER_FIELDS: order_id without spaces, amount the total paid as a plain decimal string, currency ISO 4217, status
    an OrderStatus, status_text as printed, order_time ISO 8601 local without zone. `items` are the things on any other
    picture. `notes` are machine words such as `list`, `turned:90`, `tiled:4`, `language:ko` (seen but can't be read).
    `signals` are what the engine can say of its own certainty, by name, in 0..1; a missing one is no signal.
    """

    picture_sha256: str
    kinds: dict[Kind, float]
    fields: dict[str, ReadField] = Field(default_factory=dict)
    items: tuple[Item, ...] = ()
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    signals: dict[str, float] = Field(default_factory=dict)
    engine: str
    engine_version: str
    prompt_version: str
    seconds: float

    @property
    def kind(self) -> Kind:
        """The likeliest kind."""
        return max(self.kinds, key=lambda kind: self.kinds[kind])


class Reading(Record):
    """What a turn asks: a kind, the looks, and what the words say.

    `kind` is text for a turn without a picture, whatever it asks; order when an order page is among its pictures;
    else the likeliest kind of the pictures and the words together. `looks` stand in the order of the turn's pictures,
    their kinds with the words counted in; `numbers` are those pictures' places in the turn (from 1), so that a reply
    can say "picture 2". A turn without a picture that is about one shown before has those looks, no numbers and the
    note `earlier`. `aspects` (of ASPECTS) are what is asked of a product, `wanted` the attributes that the words ask
    for: colour and size in the canonical names of knowledge/attributes.toml.
    """

    kind: Kind
    kinds: dict[Kind, float]
    looks: tuple[Look, ...] = ()
    question: str = ""
    language: str = "zh"  # BCP 47 primary tag of the customer's words, `und` when it can't be told
    intent: str = "unknown"  # order_status, ship_when, order_amount, order_address ...; answer.py documents the list
    typed_order_ids: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    aspects: tuple[str, ...] = ()
    wanted: dict[str, str] = Field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()  # met on the way: unreadable pictures, asked for a person ...
    notes: tuple[str, ...] = ()
