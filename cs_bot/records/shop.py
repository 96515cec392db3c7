"""The shop's records and what was found in them: orders, products, FAQ, facts."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from cs_bot.records.base import Record
from cs_bot.records.words import Reason


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
