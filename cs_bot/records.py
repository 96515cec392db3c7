"""The nouns that travel between the stages, frozen, with the enums they use."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1  # stored beside every Look, Reading, Facts and Draft; readers upgrade older ones


class Record(BaseModel):
    """Base of everything that travels: frozen, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(StrEnum):
    """What a turn is about."""

    PRODUCT = "product"
    COMPARISON = "comparison"
    ORDER = "order"
    SCENE = "scene"
    OTHER = "other"
    TEXT = "text"


class Route(StrEnum):
    """How an answer came about."""

    PROOF = "proof"
    CATALOG = "catalog"
    FAQ = "faq"
    ADVICE = "advice"


class End(StrEnum):
    """The one state in which every inbound message ends (the ledger)."""

    BOT = "bot"
    PERSON = "person"
    DISMISSED = "dismissed"
    HANDED_OVER = "handed_over"
    REVOKED = "revoked"
    IGNORED = "ignored"


class Owner(StrEnum):
    """Who speaks in a conversation: the bot, the shop's people in our review queue, or people outside."""

    BOT = "bot"
    DESK = "desk"
    OUTSIDE = "outside"


class Action(StrEnum):
    """What the gate decided."""

    SEND = "send"
    REVIEW = "review"


class Mode(StrEnum):
    """What the policy allows for one kind and route, the strictest first."""

    OFF = "off"
    SHADOW = "shadow"
    ASSIST = "assist"
    AUTO = "auto"


def strictest(modes: Iterable[Mode]) -> Mode:
    """The strictest of several modes; there must be one."""
    return min(modes, key=list(Mode).index)


class Reason(StrEnum):
    """Why a decision came out as it did, the weightiest first; agents read the first one."""

    REVOKED = "revoked"
    TAKEN_OVER = "taken_over"
    REVIEW_OPEN = "review_open"
    ASKED_FOR_PERSON = "asked_for_person"
    UPSET = "upset"
    MIXED_CUSTOMERS = "mixed_customers"
    FOREIGN_ORDER = "foreign_order"
    UNKNOWN_ORDER = "unknown_order"
    ORDER_RECORD_TOO_OLD = "order_record_too_old"
    SECOND_FIELD_DISAGREES = "second_field_disagrees"
    NO_SECOND_FIELD = "no_second_field"
    SEVERAL_ORDERS = "several_orders"
    PRODUCT_CLOSE = "product_close"
    PRODUCT_UNKNOWN = "product_unknown"
    PRODUCT_RECORD_TOO_OLD = "product_record_too_old"
    ORDER_LIST = "order_list"
    NUMBER_UNSURE = "number_unsure"
    NUMBER_UNREADABLE = "number_unreadable"
    EARLIER_PICTURE = "earlier_picture"
    NO_ORDER_NUMBER = "no_order_number"
    STALE = "stale"
    LOOP_GUARD = "loop_guard"
    LATE = "late"
    POISON = "poison"
    ENGINE_FAILED = "engine_failed"
    DELIVERY_UNKNOWN = "delivery_unknown"
    DELIVERY_FAILED = "delivery_failed"
    FACTS_CHANGED = "facts_changed"
    PICTURE_REFUSED = "picture_refused"
    PICTURE_UNREACHABLE = "picture_unreachable"
    PICTURE_UNREADABLE = "picture_unreadable"
    PICTURE_LANGUAGE = "picture_language"
    TOO_MANY_PICTURES = "too_many_pictures"
    SEVERAL_QUESTIONS = "several_questions"
    UNSTATED_CLAIM = "unstated_claim"
    LANGUAGE_UNSUPPORTED = "language_unsupported"
    KIND_NOT_ANSWERED = "kind_not_answered"
    NO_ANSWER = "no_answer"
    BELOW_THRESHOLD = "below_threshold"
    NOT_IN_SHARE = "not_in_share"
    MODE_OFF = "mode_off"
    MODE_SHADOW = "mode_shadow"
    MODE_ASSIST = "mode_assist"
    OWN_ECHO = "own_echo"
    AGENT_MESSAGE = "agent_message"
    EMPTY = "empty"
    PROVEN = "proven"
    CALIBRATED = "calibrated"


_RANK = {reason: rank for rank, reason in enumerate(Reason)}


def ordered(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons without repeats, the weightiest first."""
    return tuple(sorted(set(reasons), key=_RANK.__getitem__))


class OrderStatus(StrEnum):
    """Canonical state of an order; platform words are mapped to these."""

    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"  # paid, not shipped yet
    SHIPPED = "shipped"  # with the carrier, out for delivery included
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


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


class PictureState(StrEnum):
    """Where one picture of a message stands."""

    WAITING = "waiting"
    FETCHING = "fetching"
    READY = "ready"
    FAILED = "failed"


class PictureUse(Record):
    """One picture of one message. `sha256` is that of the original bytes and names the stored file.

    `pixels_sha256` is that of its decoded pixels: two files with the same ones show the same.
    """

    picture_use_id: int
    message_id: int
    position: int
    state: PictureState
    sha256: str | None = None
    pixels_sha256: str | None = None
    failure: Reason | None = None
    tags: tuple[str, ...] = ()  # evidence from metadata: edited-with, ai-generated ...


class Customer(Record):
    """A person on one account of one channel; contacts come only from signed events or imports."""

    customer_id: int
    channel: str
    account: str
    external_id: str
    name: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


class Message(Record):
    """One inbound message as stored."""

    message_id: int
    external_id: str
    seq: int
    text: str
    sent_at: datetime
    received_at: datetime
    customer_id: int
    revoked: bool = False
    pictures: tuple[PictureUse, ...] = ()


class Turn(Record):
    """The burst of messages answered together, with what the stages need to know of its conversation."""

    turn_id: int
    conversation_id: int
    channel: str
    account: str
    fence: int
    attempts: int
    restarts: int
    round: int  # moves when an unsent draft is dropped
    origin: str  # customer | redraft | playground
    deadline_at: datetime
    messages: tuple[Message, ...]
    customers: tuple[Customer, ...]  # of those messages; more than one is a reason to hold
    earlier: tuple[tuple[str, str], ...] = ()  # (customer | bot | agent, text), oldest first
    earlier_looks: tuple[Look, ...] = ()  # of this customer's last pictures in this conversation, not long ago
    owner: Owner = Owner.BOT
    recent_bot_replies: int = 0  # sent within the loop guard's window

    @property
    def text(self) -> str:
        """The words of the burst, one message a line."""
        return "\n".join(m.text for m in self.messages if m.text)

    @property
    def pictures(self) -> tuple[PictureUse, ...]:
        """All pictures of the burst in order."""
        return tuple(p for m in self.messages for p in m.pictures)


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


class OrderLine(Record):
    """One line of an order."""

    sku: str
    name: str
    quantity: int
    price: Decimal | None = None


class Order(Record):
    """One order as the shop's records have it. Times are UTC; money is Decimal with its currency."""

    order_id: str
    channel: str
    account: str
    customer_external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    status: OrderStatus
    amount: Decimal
    currency: str
    ordered_at: datetime
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    ship_by: datetime | None = None
    carrier: str | None = None
    tracking_no: str | None = None
    lines: tuple[OrderLine, ...] = ()
    updated_at: datetime  # the source's own; an older one never overwrites a newer one
    synced_at: datetime  # when we last heard of it; its age is bounded by the policy


class Variant(Record):
    """One variant of a product. `attributes` are the shop's own words: {"颜色": "黑色", "Size": "XL"}."""

    sku: str
    title: str = ""
    attributes: dict[str, str] = Field(default_factory=dict)
    price: Decimal | None = None
    stock: int | None = None


class Product(Record):
    """One product as the shop's catalog has it. Without a price or stock of its own, those of its variants count."""

    product_id: str
    channel: str
    account: str
    title: str
    brand: str | None = None
    category: str | None = None
    currency: str
    price: Decimal | None = None
    stock: int | None = None
    url: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    variants: tuple[Variant, ...] = ()
    updated_at: datetime  # the source's own; an older one never overwrites a newer one
    synced_at: datetime  # when we last heard of it; its age is bounded by the policy


class Likeness(StrEnum):
    """What makes a product one that is meant."""

    SAME_PICTURE = "same_picture"
    OTHER_COLOUR = "other_colour"  # the same shape and pattern in another colour
    SIMILAR = "similar"
    CODE = "code"  # its id or SKU was written
    WORDS = "words"


class ProductHit(Record):
    """A product found; `score` in 0..1, `margin` to the runner-up. `sku` is the variant meant, None when unsaid."""

    product: Product
    sku: str | None = None
    likeness: Likeness
    score: float
    margin: float


class LookupOutcome(StrEnum):
    """How a search in the catalog came out."""

    CLEAR = "clear"  # one product is meant
    CLOSE = "close"  # two or three are about as likely: ask which
    NONE = "none"  # the shop does not seem to have it; the hits are the nearest in words


class ProductLookup(Record):
    """One thing that the customer means, looked up in the catalog. `hits` are ranked, three at most.

    `number` is the picture's place in the turn (from 1), None for a thing named in words; `where` as in Item.
    """

    number: int | None = None
    where: str = "whole"
    outcome: LookupOutcome
    hits: tuple[ProductHit, ...] = ()
    stale: bool = False  # a record was left out: too old


class Faq(Record):
    """One question the shop answers always the same way."""

    faq_id: str
    language: str
    question: str
    variants: tuple[str, ...] = ()
    answer: str
    updated_at: datetime


class FaqHit(Record):
    """A retrieved FAQ entry; `score` in 0..1, `margin` to the runner-up."""

    faq: Faq
    score: float
    margin: float


class Facts(Record):
    """Records fetched for a turn. Only orders that belong to the customer are ever in here.

    `second_field` says which field of the picture agreed with the record (amount | time), None when none did.
    `fingerprint` hashes what was fetched (and when it was fetched does not matter): fetched again before sending,
    a changed one sends the draft back.
    """

    order: Order | None = None
    owned_by: str | None = None  # customer_id | email | phone
    customer_id: int | None = None  # whose order it is; asked again before sending
    order_max_age_s: float | None = None  # the policy's bound that the order kept; asked again before sending
    second_field: str | None = None
    products: tuple[ProductLookup, ...] = ()
    product_max_age_s: float | None = None  # the policy's bound that the products kept; asked again before sending
    faq: tuple[FaqHit, ...] = ()
    reasons: tuple[Reason, ...] = ()
    fingerprint: str = ""


class Draft(Record):
    """A reply: `template` with named slots, `slots` filled by code from Facts, `text` what a person would read."""

    template_id: str
    template: str
    slots: dict[str, str]
    text: str
    language: str
    kind: Kind
    route: Route
    fingerprint: str
    signals: dict[str, float] = Field(default_factory=dict)  # of the engine that wrote it, as in Look
    engine: str
    engine_version: str
    prompt_version: str


class Decision(Record):
    """The gate's result; always with reasons. `signals` are what the score is made of, kept for calibration.

    `share` is the part of such turns that is sent and `audit_rate` the part of those that is put aside for a blind
    audit; both None where the mode sends nothing. `eligible`: nothing but mode, score or share spoke against sending,
    so that judgements of such turns say how often a reply sent alone would be wrong.
    """

    action: Action
    mode: Mode
    kind: Kind
    route: Route
    reasons: tuple[Reason, ...]
    suggestion: str  # for the agent: "probably an order question"
    policy_version: int
    signals: dict[str, float] = Field(default_factory=dict)  # a missing one is no signal
    score: float | None = None  # None is "no signal", never 1.0
    engines: tuple[str, ...] = ()  # who looked and who wrote, sorted
    share: float | None = None
    audit_rate: float | None = None
    eligible: bool = False


class Verdict(StrEnum):
    """What a person did with a draft."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"


class Judgement(Record):
    """A person's verdict on a draft; `distance` is the normalised edit distance in 0..1."""

    review_id: int
    turn_id: int | None
    agent_id: int
    verdict: Verdict
    distance: float
    policy_version: int
    at: datetime
    right: bool | None = None  # approved or a small edit; None when there was no draft to judge


class SendState(StrEnum):
    """What is known about one attempt to send."""

    SENT = "sent"
    NOT_SENT = "not_sent"  # surely not: connection refused, 429
    FAILED = "failed"  # the platform refuses it for good
    UNKNOWN = "unknown"  # may have arrived: timeout, reset, 5xx


class Receipt(Record):
    """What the platform said about one attempt."""

    state: SendState
    provider_id: str | None = None
    retry_after_s: float | None = None
    detail: str = ""  # status code or error class; never a body, a token or an address


class Outbound(Record):
    """One row of the outbox, claimed for sending. `outbound_id` is the idempotency key the platform sees."""

    outbound_id: str
    conversation_id: int
    channel: str
    account: str
    conversation_external_id: str
    customer_external_id: str | None
    kind: str  # reply | handoff | notice | agent
    text: str
    attempts: int
    send_token: str
    in_reply_to: tuple[str, ...] = ()  # external ids of the messages it answers
    extra: dict[str, Any] = Field(default_factory=dict)


class Fit(Record):
    """What the shop's judgements say of one kind and route: a score, and the threshold that its evidence supports.

    score = 1 / (1 + exp(-(bias + sum of weight * signal))), the probability that the draft is right; weights are never
    negative. On `n` judged turns at or above `threshold`, none of which shaped the score, `wrong` were wrong;
    `bound` is the upper Clopper-Pearson bound of the wrong share (calibration/, docs/calibration.md).
    """

    version: int  # the row of `calibrations`
    weights: dict[str, float]
    bias: float
    engines: tuple[str, ...]  # who looked and wrote in that data; it says nothing of others
    threshold: float
    target: float
    n: int
    wrong: int
    bound: float
    data_from: datetime
    data_to: datetime
    created_at: datetime

    def score(self, signals: Mapping[str, float]) -> float | None:
        """The probability that a draft is right; None when a signal is missing, or there is none to go by."""
        if not self.weights or not self.weights.keys() <= signals.keys():
            return None
        x = self.bias + sum(weight * signals[name] for name, weight in sorted(self.weights.items()))
        return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def _first_modes() -> dict[str, Mode]:
    return {"*/proof": Mode.AUTO, "*/*": Mode.ASSIST}


class Policy(Record):
    """The numbers that gate, ground, agent page and docs share; a versioned row of the policy table.

    `modes` maps "kind/route" to a Mode; `*` stands for any, the most exact entry wins. `share` is the part of the
    turns (by a hash of the turn id) that `auto` really sends.

    The gate that learns keeps the rest per exact "kind/route": `fits`, without which `auto` sends nothing but proofs;
    `shares` of a canary (1 where it does not say); `steps`, the policy version with which the present mode, share or
    fit began; `evidence`, the version before which judgements no longer count (a roll-back sets it).
    """

    version: int = 1
    modes: dict[str, Mode] = Field(default_factory=_first_modes)
    share: float = Field(default=1.0, ge=0, le=1)
    wrong_target: float = Field(default=0.02, ge=0.001, le=0.2)  # of the replies sent alone, at 95 % confidence
    audit_share: float = Field(default=0.02, ge=0, le=1)  # of the replies sent alone, judged blind
    canary_audit_share: float = Field(default=1.0, ge=0, le=1)  # the same while only a share is sent
    autopilot: bool = False  # whether upkeep may calibrate and take steps up; down it always may
    stale_after_s: float = 900.0
    early_by_s: float = 300.0  # a message may claim to come this far from the future
    loop_max: int = 6
    loop_window_s: float = 600.0
    max_pictures: int = 4
    order_max_age_s: float = 86_400.0
    product_max_age_s: float = 172_800.0
    amount_tolerance: Decimal = Decimal(0)
    time_tolerance_s: float = 120.0
    shares: dict[str, float] = Field(default_factory=dict)
    fits: dict[str, Fit] = Field(default_factory=dict)
    steps: dict[str, int] = Field(default_factory=dict)
    evidence: dict[str, int] = Field(default_factory=dict)

    def mode_for(self, kind: Kind, route: Route) -> Mode:
        """What is allowed for one kind and route; `assist` when nothing is said.

        The most exact entry wins; where "kind/*" and "*/route" both fit, the stricter one.
        """
        exact = self.modes.get(f"{kind.value}/{route.value}")
        if exact is not None:
            return exact
        half = [self.modes[key] for key in (f"{kind.value}/*", f"*/{route.value}") if key in self.modes]
        return strictest(half) if half else self.modes.get("*/*", Mode.ASSIST)

    def fit_for(self, name: str) -> Fit | None:
        """The fit of a "kind/route" that keeps today's target; one that was made for a laxer target does not count."""
        fit = self.fits.get(name)
        return fit if fit is not None and fit.bound <= self.wrong_target else None
