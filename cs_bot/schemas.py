"""Published shapes of what others send us: one schema per noun, shared by webhook, import and mirror."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from cs_bot.records import OrderStatus

MAX_TEXT = 20_000
MAX_ATTACHMENTS = 20


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside the years 1 to 9999 in UTC") from None


def _clean(value: Any) -> Any:
    """Text as databases accept it: no NUL, no lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
    return value


def _id_text(value: Any) -> Any:
    """Platforms send numbers as ids now and then."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _clean(value)


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Text = Annotated[str, BeforeValidator(_clean), Field(max_length=MAX_TEXT)]
Short = Annotated[str, BeforeValidator(_clean), Field(max_length=200)]
ExternalId = Annotated[str, BeforeValidator(_id_text), Field(min_length=1, max_length=200)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4)]
Currency = Annotated[str, BeforeValidator(_clean), Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")]


class Shape(BaseModel):
    """Base: unknown fields are ignored, so that a platform may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Person(Shape):
    """A customer as the platform knows them. Contacts are trusted because the event is signed."""

    id: ExternalId
    name: Short | None = None
    email: Short | None = None
    phone: Short | None = None


class Attachment(Shape):
    """A file sent with a message. `url` is https, or a data: URL of at most 2 MB decoded."""

    url: Annotated[str, BeforeValidator(_clean), Field(min_length=1, max_length=3_000_000)]
    content_type: Short | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class MessageCreated(Shape):
    """message.created: somebody wrote. sender is customer unless said; agent = a person of the shop outside cs-bot."""

    conversation_id: ExternalId
    message_id: ExternalId
    customer: Person
    sender: Literal["customer", "agent", "bot"] = "customer"
    text: Text = ""
    attachments: tuple[Attachment, ...] = Field(default=(), max_length=MAX_ATTACHMENTS)
    sent_at: Time | None = Field(default=None, description="when the customer wrote; default: the delivery's timestamp")
    outbound_id: Short | None = Field(default=None, description="our own reply's id when this is its echo")


class TakenByHuman(Shape):
    """conversation.taken_by_human: a person outside cs-bot answers from now on."""

    conversation_id: ExternalId
    customer: Person | None = None
    at: Time | None = None


class Released(Shape):
    """conversation.released: the conversation is given back to the bot."""

    conversation_id: ExternalId
    at: Time | None = None


class MessageRevoked(Shape):
    """message.revoked: the customer took a message back."""

    conversation_id: ExternalId
    message_id: ExternalId


class OrderLineIn(Shape):
    """One line of an order."""

    sku: Annotated[str, BeforeValidator(_clean), Field(max_length=100)] = ""
    name: Annotated[str, BeforeValidator(_clean), Field(max_length=500)]
    quantity: int = Field(default=1, ge=0, le=1_000_000)
    price: Amount | None = None


class OrderIn(Shape):
    """order.upserted and a row of `cs-bot orders import`. An older updated_at never overwrites a newer one.

    At least one of customer_id, email and phone says whose it is; without any, nobody is ever told about it.
    """

    order_id: Annotated[str, BeforeValidator(_id_text), Field(min_length=1, max_length=64)]
    customer_id: ExternalId | None = None
    email: Short | None = None
    phone: Short | None = None
    status: OrderStatus
    amount: Amount = Field(description="total paid or to pay")
    currency: Currency = "CNY"
    ordered_at: Time
    paid_at: Time | None = None
    shipped_at: Time | None = None
    delivered_at: Time | None = None
    ship_by: Time | None = Field(default=None, description="promised time to ship; default: the shop's promise setting")
    carrier: Annotated[str, BeforeValidator(_clean), Field(max_length=100)] | None = None
    tracking_no: Annotated[str, BeforeValidator(_clean), Field(max_length=100)] | None = None
    lines: tuple[OrderLineIn, ...] = Field(default=(), max_length=500)
    updated_at: Time


class ProductVariantIn(Shape):
    """One variant of a product."""

    sku: Short
    title: Short = ""
    attributes: dict[Short, Short] = Field(default_factory=dict)
    price: Amount | None = None
    stock: int | None = Field(default=None, ge=0)
    picture: Annotated[str, BeforeValidator(_clean), Field(max_length=2000)] | None = Field(
        default=None, description="address of a picture of this variant"
    )


class ProductIn(Shape):
    """product.upserted and a row of `cs-bot catalog import`. An older updated_at never overwrites a newer one.

    Without a price or stock of its own, those of its variants count.
    """

    product_id: Annotated[str, BeforeValidator(_id_text), Field(min_length=1, max_length=100)]
    title: Annotated[str, BeforeValidator(_clean), Field(min_length=1, max_length=500)]
    description: Text = ""
    brand: Short | None = None
    category: Short | None = None
    currency: Currency = "CNY"
    price: Amount | None = None
    stock: int | None = Field(default=None, ge=0)
    url: Annotated[str, BeforeValidator(_clean), Field(max_length=2000)] | None = None
    pictures: tuple[Annotated[str, BeforeValidator(_clean), Field(max_length=2000)], ...] = Field(
        default=(), max_length=50
    )
    attributes: dict[Short, Short] = Field(default_factory=dict)
    variants: tuple[ProductVariantIn, ...] = Field(default=(), max_length=500)
    active: bool = Field(default=True, description="false: no longer sold; it is not found any more")
    updated_at: Time


class FaqIn(Shape):
    """A row of `cs-bot faq import`. `variants` are other wordings of the question."""

    faq_id: Annotated[str, BeforeValidator(_id_text), Field(min_length=1, max_length=100)]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$", max_length=12)] = "zh"
    question: Annotated[str, BeforeValidator(_clean), Field(min_length=1, max_length=500)]
    variants: tuple[Annotated[str, BeforeValidator(_clean), Field(max_length=500)], ...] = Field(
        default=(), max_length=50
    )
    answer: Annotated[str, BeforeValidator(_clean), Field(min_length=1, max_length=5000)]
    updated_at: Time | None = None


class Envelope(BaseModel):
    """What a generic webhook's body looks like; `data` is checked against the type's own schema."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Annotated[str, Field(min_length=1, max_length=64)]
    timestamp: Time
    data: dict[str, Any]


EVENT_SHAPES: dict[str, type[Shape]] = {
    "message.created": MessageCreated,
    "conversation.taken_by_human": TakenByHuman,
    "conversation.released": Released,
    "message.revoked": MessageRevoked,
    "order.upserted": OrderIn,
    "product.upserted": ProductIn,
}


class ReplyOut(BaseModel):
    """message.reply: what we post to the account's reply address.

    The header webhook-id is the outbound id; a receiver that has seen it answers 200 and does nothing.
    """

    model_config = ConfigDict(frozen=True)

    conversation_id: str
    customer_id: str | None = Field(description="null when the messages did not say")
    outbound_id: str
    text: str
    in_reply_to: tuple[str, ...]
    sender: Literal["bot", "agent"]


class HandOffOut(ReplyOut):
    """conversation.handoff: a person of the platform answers now; `text` is the draft where people may see it."""

    reasons: tuple[str, ...] = Field(description="why the bot does not answer, the weightiest first")
    suggestion: str = Field(default="", description="what the message seems to be about")
    note: str = Field(default="", description="what the agent wrote who handed it over")
