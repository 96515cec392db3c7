"""The orders of a demo shop, drawn by a seed: numbers in each platform's format, money, times, lines, owners."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from cs_bot.demo import words
from cs_bot.records import OrderStatus, Record
from cs_bot.schemas import OrderIn, OrderLineIn, Person

ZONE = timedelta(hours=8)  # pictures print the shop's local time, Asia/Shanghai
FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 210
SHIPPED_ON = (OrderStatus.SHIPPED, OrderStatus.DELIVERED, OrderStatus.COMPLETED)
UNPAID = (OrderStatus.PENDING_PAYMENT, OrderStatus.CANCELLED)


class Plan(NamedTuple):
    """One order to make. `owner` names its customer (default: one of its own), `ship_in_h` the promise from today."""

    key: str
    look: str
    status: OrderStatus
    owner: str = ""
    lines: int = 1
    ship_in_h: int | None = None
    by_email: bool = False
    recorded: bool = True


S = OrderStatus
PLANS: tuple[Plan, ...] = (
    Plan("zh-pending_payment", "taobao", S.PENDING_PAYMENT),
    Plan("zh-paid", "jd", S.PAID, ship_in_h=30),
    Plan("zh-shipped", "taobao", S.SHIPPED, lines=2),
    Plan("zh-delivered", "pdd", S.DELIVERED),
    Plan("zh-completed", "douyin", S.COMPLETED),
    Plan("zh-cancelled", "wechat", S.CANCELLED),
    Plan("zh-refunding", "jd", S.REFUNDING),
    Plan("zh-refunded", "pdd", S.REFUNDED),
    Plan("en-pending_payment", "shopify", S.PENDING_PAYMENT),
    Plan("en-paid", "amazon", S.PAID, ship_in_h=40),
    Plan("en-shipped", "shopify", S.SHIPPED, lines=2),
    Plan("en-delivered", "amazon", S.DELIVERED),
    Plan("en-completed", "shopify", S.COMPLETED),
    Plan("en-cancelled", "amazon", S.CANCELLED),
    Plan("en-refunding", "shopify", S.REFUNDING),
    Plan("en-refunded", "amazon", S.REFUNDED, lines=2),
    Plan("ja-paid", "rakuten", S.PAID, ship_in_h=36),
    Plan("ja-shipped", "rakuten", S.SHIPPED),
    Plan("ja-delivered", "amazon_ja", S.DELIVERED),
    Plan("late", "taobao", S.PAID),
    Plan("late-en", "shopify", S.PAID),
    Plan("foreign", "jd", S.SHIPPED),
    Plan("unknown", "pdd", S.SHIPPED, recorded=False),
    Plan("cut", "douyin", S.SHIPPED),
    Plan("injected-zh", "pdd", S.SHIPPED),
    Plan("injected-en", "shopify", S.SHIPPED),
    Plan("outdated", "taobao", S.SHIPPED),
    Plan("edited", "jd", S.SHIPPED),
    Plan("by-email", "shopify", S.SHIPPED, by_email=True),
    Plan("tall", "taobao", S.SHIPPED, lines=3),
    Plan("pair-1", "douyin", S.SHIPPED, owner="pair"),
    Plan("pair-2", "douyin", S.COMPLETED, owner="pair"),
    Plan("list-1", "taobao", S.SHIPPED, owner="list"),
    Plan("list-2", "taobao", S.COMPLETED, owner="list"),
    Plan("list-3", "taobao", S.PAID, owner="list", ship_in_h=44),
    Plan("typed", "wechat", S.SHIPPED),
    *(
        Plan(f"more-{number:02d}", look, status, lines=1 + number % 3)
        for number, (look, status) in enumerate(
            (
                ("taobao", S.COMPLETED),
                ("jd", S.DELIVERED),
                ("pdd", S.PENDING_PAYMENT),
                ("douyin", S.REFUNDING),
                ("wechat", S.DELIVERED),
                ("wechat", S.REFUNDED),
                ("shopify", S.DELIVERED),
                ("amazon", S.SHIPPED),
                ("amazon_ja", S.CANCELLED),
                ("amazon_ja", S.REFUNDED),
                ("rakuten", S.COMPLETED),
                ("rakuten", S.REFUNDING),
            ),
            start=1,
        )
    ),
)


class Item(Record):
    """One line of goods; `price` is per piece, `art` the drawing that stands for it."""

    name: str
    spec: str
    price: Decimal
    quantity: int
    art: str

    def record(self) -> OrderLineIn:
        """The line as the shop's system exports it."""
        return OrderLineIn(sku=f"SKU-{self.art.upper()}", name=self.name, quantity=self.quantity, price=self.price)


class DemoOrder(Record):
    """An order with all that its page prints. Times are UTC; `ship_in_h` counts from the moment of loading."""

    key: str
    look: str
    language: str
    currency: str
    status: OrderStatus
    order_id: str
    customer: Person
    by_email: bool
    recorded: bool
    items: tuple[Item, ...]
    shipping: Decimal
    discount: Decimal
    ordered_at: datetime
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    ship_in_h: int | None = None
    carrier: str | None = None
    tracking_no: str | None = None
    place: str

    @property
    def subtotal(self) -> Decimal:
        """All lines."""
        return sum((item.price * item.quantity for item in self.items), Decimal(0))

    @property
    def total(self) -> Decimal:
        """Paid or to pay."""
        return self.subtotal + self.shipping - self.discount

    def record(self) -> OrderIn:
        """The order as the shop's system exports it."""
        times = (self.ordered_at, self.paid_at, self.shipped_at, self.delivered_at)
        return OrderIn(
            order_id=self.order_id,
            customer_id=None if self.by_email else self.customer.id,
            email=self.customer.email,
            phone=self.customer.phone,
            status=self.status,
            amount=self.total,
            currency=self.currency,
            ordered_at=self.ordered_at,
            paid_at=self.paid_at,
            shipped_at=self.shipped_at,
            delivered_at=self.delivered_at,
            carrier=self.carrier,
            tracking_no=self.tracking_no,
            lines=tuple(
                OrderLineIn(
                    sku=f"{i.art.upper()}-{self.language.upper()}", name=i.name, quantity=i.quantity, price=i.price
                )
                for i in self.items
            ),
            updated_at=max(time for time in times if time is not None) + timedelta(minutes=5),
        )


def make_orders(seed: int) -> tuple[DemoOrder, ...]:
    """Every planned order; the same seed gives the same orders, another seed other numbers, sums, times and people."""
    people: dict[str, Person] = {}
    return tuple(_make(plan, random.Random(f"{seed}/{plan.key}"), seed, people) for plan in PLANS)


def make_person(owner: str, language: str, seed: int, number: int) -> Person:
    """A customer of the shop; the address is in a domain reserved for examples."""
    rng = random.Random(f"{seed}/person/{owner}")
    prefix = {"zh": "1380", "en": "+1555", "ja": "0900"}[language]
    return Person(
        id=f"buyer-{seed:02d}{number:03d}",
        name=rng.choice(words.PEOPLE[language]),
        email=f"buyer{seed:02d}{number:03d}@example.com",
        phone=f"{prefix}{seed % 1000:03d}{number:04d}",
    )


def _make(plan: Plan, rng: random.Random, seed: int, people: dict[str, Person]) -> DemoOrder:
    language, currency = words.LOOKS[plan.look]
    owner = plan.owner or plan.key
    if owner not in people:
        people[owner] = make_person(owner, language, seed, len(people) + 1)
    ordered_at = FIRST_DAY + timedelta(days=rng.randrange(DAYS), seconds=rng.randrange(86_400))
    paid_at = None if plan.status in UNPAID else ordered_at + timedelta(seconds=rng.randint(11, 600))
    shipped_at = paid_at + timedelta(hours=rng.randint(5, 40)) if paid_at and plan.status in SHIPPED_ON else None
    arrived = plan.status in (OrderStatus.DELIVERED, OrderStatus.COMPLETED)
    carrier, pattern = rng.choice(words.CARRIERS[language])
    items = _items(language, plan.lines, rng)
    return DemoOrder(
        key=plan.key,
        look=plan.look,
        language=language,
        currency=currency,
        status=plan.status,
        order_id=order_number(plan.look, ordered_at + ZONE, rng),
        customer=people[owner],
        by_email=plan.by_email,
        recorded=plan.recorded,
        items=items,
        shipping=Decimal(rng.choice({"CNY": ("0", "6.00"), "USD": ("0", "4.99"), "JPY": ("0", "550")}[currency])),
        discount=_discount(currency, sum((i.price for i in items), Decimal(0)), rng),
        ordered_at=ordered_at,
        paid_at=paid_at,
        shipped_at=shipped_at,
        delivered_at=shipped_at + timedelta(hours=rng.randint(30, 90)) if shipped_at and arrived else None,
        ship_in_h=plan.ship_in_h,
        carrier=carrier if shipped_at else None,
        tracking_no=_filled(rng, pattern) if shipped_at else None,
        place=rng.choice(words.PLACES[language]),
    )


def _items(language: str, count: int, rng: random.Random) -> tuple[Item, ...]:
    picked = rng.sample(words.GOODS[language], count)
    return tuple(
        Item(name=name, spec=spec, price=Decimal(price), quantity=rng.choice((1, 1, 2)), art=art)
        for name, spec, price, art in picked
    )


def _discount(currency: str, subtotal: Decimal, rng: random.Random) -> Decimal:
    if currency == "JPY":
        return Decimal(rng.choice((0, 100, 200)))
    share = Decimal(rng.choice((3, 5, 8))) / 100
    return (subtotal * share).quantize(Decimal("0.01"))


def order_number(look: str, local: datetime, rng: random.Random) -> str:
    """A number as the platform of a look gives it; `local` is when the order was placed."""
    patterns = {
        "taobao": "3%#################",
        "jd": "29##########",
        "pdd": f"{local:%y%m%d}-%##############",
        "douyin": "69#################",
        "wechat": "372################",
        "shopify": "%####",
        "amazon": "11%-%######-%######",
        "amazon_ja": "25%-%######-%######",
        "rakuten": f"2%####-{local:%Y%m%d}-0#########",
    }
    return _filled(rng, patterns[look])


def _filled(rng: random.Random, pattern: str) -> str:
    """The pattern with a random digit for each # and one that is not zero for each %."""
    digit = {"#": "0123456789", "%": "123456789"}
    return "".join(rng.choice(digit[c]) if c in digit else c for c in pattern)
