"""The shapes of a checkpoint's answers, as JSON schemas and strictly judged: what does not validate is unreadable."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cs_bot.records import ITEM_ATTRIBUTES, ORDER_FIELDS, FieldState, Item, Kind, OrderStatus, ReadField
from cs_bot.vision.lite.lexicon import FORMATS
from cs_bot.vision.lite.numbers import clean, shapes_of

UNREADABLE = "unreadable"
COLOURS = (
    *("black", "white", "grey", "red", "pink", "orange", "yellow", "green", "blue", "navy", "purple", "brown"),
    *("beige", "khaki", "gold", "silver", "multicolour", "transparent"),
)
CURRENCIES = (
    *("CNY", "USD", "EUR", "JPY", "KRW", "TWD", "HKD", "GBP", "AUD", "CAD", "SGD", "MYR", "THB", "VND", "PHP", "IDR"),
    *("INR", "BRL", "MXN", "CHF", "NZD", "RUB", "TRY", "PLN", "SEK", "AED"),
)
MAX_ANSWER_CHARS = 20_000
MAX_REPLY = 500
DOUBT_BELOW = 0.9  # a token of a value that was less likely than this is a doubt
SMALL_BELOW = 0.45  # a page shrunk further than this has digits of a few pixels
SINGLE, AGAIN, UNLIKELY, SMALL, FORMAT = "single", "reread", "unlikely", "small", "format"


def _no_null(value: Any) -> Any:
    return UNREADABLE if value is None else value


@dataclass(frozen=True)
class _OneOf:
    """Validator of a word that is one of `values` or unreadable."""

    values: tuple[str, ...]

    def __call__(self, value: str) -> str:
        if value not in self.values and value != UNREADABLE:
            raise ValueError("not one of the choices")
        return value

    def field(self) -> Any:
        """For the JSON schema."""
        return Field(json_schema_extra={"enum": [*self.values, UNREADABLE]})


class Strict(BaseModel):
    """An answer: every key must be there, and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_MAYBE = BeforeValidator(_no_null)
Short = Annotated[str, _MAYBE, Field(max_length=25)]
Name = Annotated[str, _MAYBE, Field(max_length=40)]
Phrase = Annotated[str, _MAYBE, Field(max_length=60)]
_COLOUR, _CURRENCY, _STATUS = _OneOf(COLOURS), _OneOf(CURRENCIES), _OneOf(tuple(status.value for status in OrderStatus))
Colour = Annotated[str, _MAYBE, AfterValidator(_COLOUR), _COLOUR.field()]
Currency = Annotated[str, _MAYBE, AfterValidator(_CURRENCY), _CURRENCY.field()]
Status = Annotated[str, _MAYBE, AfterValidator(_STATUS), _STATUS.field()]


class OrderRead(Strict):
    """An order page."""

    order_id: Name
    amount: Short
    currency: Currency
    status: Status
    status_text: Phrase
    order_time: Short
    several_orders: bool


class ItemRead(Strict):
    """One thing on a picture."""

    where: Literal["whole", "left", "right", "top", "bottom", "1", "2", "3", "4", "5", "6"]
    category: Name
    brand: Name
    colour: Colour
    material: Name
    style: Phrase
    code: Name


class ProductRead(Strict):
    """A picture of one article."""

    items: Annotated[tuple[ItemRead, ...], Field(max_length=2)]


class ComparisonRead(Strict):
    """A picture that compares articles."""

    items: Annotated[tuple[ItemRead, ...], Field(max_length=6)]


class SceneRead(Strict):
    """A picture of things in use."""

    items: Annotated[tuple[ItemRead, ...], Field(max_length=6)]


class Reply(Strict):
    """A reply's template."""

    reply: Annotated[str, Field(max_length=MAX_REPLY)]


READS: Mapping[Kind, type[Strict]] = {
    Kind.ORDER: OrderRead,
    Kind.PRODUCT: ProductRead,
    Kind.COMPARISON: ComparisonRead,
    Kind.SCENE: SceneRead,
}
SHAPES: tuple[type[Strict], ...] = (*READS.values(), Reply)
Shape = TypeVar("Shape", bound=Strict)


class Unusable(ValueError):
    """An answer that does not have its shape; says why in our own words."""


def json_schema(shape: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of an answer, without titles and descriptions: every string is bounded, every object closed."""
    schema: dict[str, Any] = _bare(shape.model_json_schema(), names=False)
    return schema


def _bare(part: Any, *, names: bool) -> Any:
    """`names` says that the keys of this mapping are properties' names."""
    if isinstance(part, list):
        return [_bare(one, names=False) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if names or key not in ("title", "description")}
    return {key: _bare(value, names=key in ("properties", "$defs") and not names) for key, value in kept.items()}


def parse(shape: type[Shape], text: str) -> Shape:
    """An answer in its shape. Numbers are taken as they are written. Raises Unusable."""
    try:
        value = json.loads(_object_in(text), parse_float=str, parse_int=str, parse_constant=str)
        return shape.model_validate(value)
    except Unusable:
        raise
    except ValidationError as problem:
        wrong = {part for error in problem.errors() for part in error["loc"] if part in _KEYS}
        raise Unusable(f"it does not follow the form ({', '.join(sorted(map(str, wrong))) or 'keys'})") from None
    except (ValueError, RecursionError):
        raise Unusable("it is no JSON") from None


_KEYS = frozenset({*OrderRead.model_fields, *ItemRead.model_fields, "items", "reply"})


def _object_in(text: str) -> str:
    """The outermost braces of a text: reasoning, fences and talk around them are dropped."""
    if len(text) > MAX_ANSWER_CHARS:
        raise Unusable("it is too long")
    text = text.rpartition("</think>")[2]
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise Unusable("it is empty" if not text.strip() else "it is no JSON")
    return text[start : end + 1]


@dataclass(frozen=True)
class Evidence:
    """What speaks for one reading: token likelihoods of its values where known, and how small the picture was made."""

    weakest: Mapping[str, float] = field(default_factory=dict)
    shrunk: float = 1.0


def order_fields(first: OrderRead, again: OrderRead | None, evidence: Evidence) -> dict[str, ReadField]:
    """The fields of an order page.

    A field is READ when two readings of the page give the same value and nothing speaks against it. One reading
    alone is no evidence: CONFIRM. What does not validate is UNREADABLE. Guards: `single`, `reread` (the second
    reading differs), `unlikely`, `small`, `format` (a number that no platform gives).
    """
    return {name: _judged(name, first, again, evidence) for name in ORDER_FIELDS}


def _judged(name: str, first: OrderRead, again: OrderRead | None, evidence: Evidence) -> ReadField:
    value = canonical(name, getattr(first, name))
    if value is None:
        return ReadField()
    guards = []
    if again is None:
        guards.append(SINGLE)
    elif canonical(name, getattr(again, name)) != value:
        guards.append(AGAIN)
    if evidence.weakest.get(name, 1.0) < DOUBT_BELOW:
        guards.append(UNLIKELY)
    if evidence.shrunk < SMALL_BELOW:
        guards.append(SMALL)
    if name == "order_id" and not _known_format(value):
        guards.append(FORMAT)
    return ReadField(value=value, state=FieldState.CONFIRM if guards else FieldState.READ, guards=tuple(guards))


def canonical(name: str, raw: str) -> str | None:
    """The value of an order field as records hold it; None when it can't be one."""
    text = plain(raw)
    if not text or text.lower() == UNREADABLE:
        return None
    return _CANONICAL[name](text)


def plain(raw: str) -> str:
    """One line without control, bidi or invisible characters."""
    text = unicodedata.normalize("NFKC", raw)
    kept = (sign if unicodedata.category(sign)[0] not in "CZ" else " " for sign in text)
    return re.sub(r"\s+", " ", "".join(kept)).strip()


def _words(text: str) -> str:
    """Words without brackets, braces and bars, which mean something elsewhere."""
    return re.sub(r"[\s<>{}|]+", " ", text).strip()


def _order_id(text: str) -> str | None:
    value = clean(text)
    return value if re.fullmatch(r"(?=(?:[^0-9]*[0-9]){4})[0-9A-Z](?:-?[0-9A-Z]){3,39}", value) else None


def _amount(text: str) -> str | None:
    if not re.fullmatch(r"[0-9]{1,10}(?:\.[0-9]{1,3})?|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?", text):
        return None
    return str(Decimal(text.replace(",", "")))


def _time(text: str) -> str | None:
    value = re.sub(r"(?<=\d) (?=\d)", "T", text)
    if not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?", value):
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return value


_CANONICAL: Mapping[str, Callable[[str], str | None]] = {
    "order_id": _order_id,
    "amount": _amount,
    "currency": lambda text: text if text in CURRENCIES else None,
    "status": lambda text: text if text in set(OrderStatus) else None,
    "status_text": lambda text: _words(text) or None,
    "order_time": _time,
}
_OWN = re.compile(r"[A-Z]{0,5}-?\d{4,9}(?:-\d{1,3})?|[A-Z]{1,5}-?\d{8,26}|\d{20,30}")  # shops that number by themselves


def _known_format(value: str) -> bool:
    return bool(shapes_of(value, FORMATS)) or _OWN.fullmatch(value) is not None


def items_of(read: ProductRead | ComparisonRead | SceneRead) -> tuple[Item, ...]:
    """The things read, without what could not be seen; a thing of which nothing was seen is left out."""
    found = []
    for one in read.items:
        texts = {name: _attribute(getattr(one, name)) for name in ITEM_ATTRIBUTES}
        attributes = {name: text for name, text in texts.items() if text}
        if attributes:
            found.append(Item(where=one.where, attributes=attributes))
    return tuple(found)


def _attribute(raw: str) -> str:
    """Letters, digits and a few signs: a name, not a sentence with markup or an address in it."""
    text = _words(plain(raw))
    return "" if text.lower() in _NOTHING or re.search(r"://|www\.|@", text) else text


_NOTHING = frozenset({"", UNREADABLE, "none", "n/a", "unknown", "null", "-", "no", "not visible", "看不清", "无"})
