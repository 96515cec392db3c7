"""Every reply the templates can make, for the snapshots in tests/data/answers.

After a wanted change (with its `version` raised): python -m tests.unit.answer_cases
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from cs_bot.answer import LANGUAGES, ShopWords, draft
from cs_bot.answer.templates import phrases
from cs_bot.records import (
    Draft,
    Facts,
    Faq,
    FaqHit,
    Kind,
    Likeness,
    LookupOutcome,
    Order,
    OrderStatus,
    Product,
    ProductHit,
    ProductLookup,
    Reading,
    Reason,
    Variant,
)
from tests.readings import look

SNAPSHOTS = Path(__file__).parents[1] / "data" / "answers"
NOW = datetime(2026, 9, 10, 4, 0, tzinfo=UTC)
PAID = NOW - timedelta(hours=20)
QUESTIONS = {"zh-Hant": "請問什麼時候出貨"}
INTENTS = ("order_status", "ship_when", "arrive_when", "tracking", "order_amount", "order_number", "refund", "unknown")
HELD = {
    "foreign": Reason.FOREIGN_ORDER,
    "unknown": Reason.UNKNOWN_ORDER,
    "too_old": Reason.ORDER_RECORD_TOO_OLD,
    "disagrees": Reason.SECOND_FIELD_DISAGREES,
    "list": Reason.ORDER_LIST,
    "unsure": Reason.NUMBER_UNSURE,
    "picture": Reason.PICTURE_UNREACHABLE,
    "person": Reason.ASKED_FOR_PERSON,
    "upset": Reason.UPSET,
}


def shop(language: str = "zh", **values: Any) -> ShopWords:
    return ShopWords(**{"name": "Example Shop", "language": language, **values})


def order(status: OrderStatus = OrderStatus.SHIPPED, *, full: bool = True, **values: Any) -> Order:
    """An order in a status; `full` has every time and the carrier."""
    given: dict[str, Any] = {
        "order_id": "2845112344556677889",
        "channel": "generic",
        "account": "main",
        "customer_external_id": "c1",
        "status": status,
        "amount": Decimal("1299.00"),
        "currency": "CNY",
        "ordered_at": PAID - timedelta(minutes=5),
        "updated_at": NOW - timedelta(hours=1),
        "synced_at": NOW - timedelta(hours=1),
    }
    if full and status is not OrderStatus.PENDING_PAYMENT:
        given["paid_at"] = PAID
    if full and status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED, OrderStatus.COMPLETED):
        given |= {"shipped_at": PAID + timedelta(hours=9), "carrier": "SF Express", "tracking_no": "SF1234567890123"}
    if full and status in (OrderStatus.DELIVERED, OrderStatus.COMPLETED):
        given["delivered_at"] = PAID + timedelta(hours=19)
    return Order(**given | values)


def reading(language: str = "zh", intent: str = "order_status", kind: Kind = Kind.ORDER, **values: Any) -> Reading:
    primary = language.split("-")[0]
    given = {"question": QUESTIONS.get(language, ""), "language": primary, "intent": intent}
    return Reading(kind=kind, kinds={kind: 1.0}, **given | values)


def owned(found: Order, **values: Any) -> Facts:
    return Facts(**{"order": found, "owned_by": "customer_id", "fingerprint": "f1", **values})


def hit(language: str = "zh", answer: str = "See our page.") -> FaqHit:
    faq = Faq(faq_id="1", language=language, question="?", answer=answer, updated_at=NOW)
    return FaqHit(faq=faq, score=0.9, margin=0.5)


def cases(language: str) -> Iterator[tuple[str, Draft]]:
    """Name and draft of every reply in a language."""
    words = shop(language.split("-")[0])
    for status in OrderStatus:
        for full in (True, False):
            for intent in INTENTS:
                name = f"{intent} {status.value} {'full' if full else 'bare'}"
                yield name, made(reading(language, intent), owned(order(status, full=full)), words)
    for full in (True, False):
        late = order(OrderStatus.PAID, full=full, ordered_at=NOW - timedelta(days=5))
        late = late.model_copy(update={"paid_at": NOW - timedelta(days=4)} if full else {})
        for intent in INTENTS:
            yield f"{intent} late {'full' if full else 'bare'}", made(reading(language, intent), owned(late), words)
    for name, reason in HELD.items():
        yield f"held {name}", made(reading(language, reasons=(reason,)), Facts(), words)
    for intent in ("greeting", "thanks", "complaint", "order_status", "unknown"):
        yield f"text {intent}", made(reading(language, intent, Kind.TEXT), Facts(), words)
    yield "text faq", made(reading(language, "faq", Kind.TEXT), Facts(faq=(hit(language),)), words)
    for name, read, facts in goods_cases(language):
        yield f"goods {name}", made(read, facts, words)
    signed = words.model_copy(update={"sign_off": "Example Shop Team"})
    yield "signed", made(reading(language), owned(order()), signed)


def product(product_id: str = "P1", **values: Any) -> Product:
    """A shirt in stock at 129 CNY."""
    given: dict[str, Any] = {
        "product_id": product_id,
        "channel": "generic",
        "account": "main",
        "title": f"Linen shirt {product_id}",
        "currency": "CNY",
        "price": Decimal(129),
        "stock": 3,
        "url": f"https://shop.example/{product_id}",
        "updated_at": NOW - timedelta(hours=1),
        "synced_at": NOW - timedelta(hours=1),
    }
    return Product(**given | values)


def variants(*stocks: int | None, price: int = 129) -> tuple[Variant, ...]:
    """Variants in black, white, blue ..., each dearer than the one before by `price` - 129."""
    colours = ("Black", "White", "Blue")
    return tuple(
        Variant(
            sku=f"V{n}",
            title=colours[n],
            attributes={"Color": colours[n]},
            price=Decimal(129 + n * (price - 129)),
            stock=s,
        )
        for n, s in enumerate(stocks)
    )


def lookup(*found: Product, outcome: LookupOutcome = LookupOutcome.CLEAR, **values: Any) -> ProductLookup:
    """A lookup that found these products."""
    sku = values.pop("sku", None)
    hits = tuple(ProductHit(product=p, sku=sku, likeness=Likeness.SAME_PICTURE, score=0.9, margin=0.5) for p in found)
    return ProductLookup(**{"number": 1, "outcome": outcome, "hits": hits, **values})


def goods_cases(language: str) -> Iterator[tuple[str, Reading, Facts]]:
    """Name, reading and facts of replies about products."""

    def about(
        *lookups: ProductLookup, kind: Kind = Kind.PRODUCT, looks: int = 1, **values: Any
    ) -> tuple[Reading, Facts]:
        read = reading(language, "product", kind, looks=tuple(look(kind) for _ in range(looks)), **values)
        return read, Facts(products=lookups, fingerprint="f1")

    several = product(price=None, stock=None, variants=variants(2, 0, 5, price=139))
    none, close = LookupOutcome.NONE, LookupOutcome.CLOSE
    yield "clear", *about(lookup(product()))
    yield "price", *about(lookup(product()), aspects=("price",))
    yield "sold out", *about(lookup(product(stock=0)), aspects=("stock",))
    yield "stock unknown", *about(lookup(product(stock=None)))
    yield "variants", *about(lookup(several))
    yield "variant said", *about(lookup(several, sku="V1"), aspects=("stock",))
    yield "colours", *about(lookup(several), aspects=("colour",))
    yield (
        "material",
        *about(lookup(product(attributes={"material": "Linen", "size": "M"})), aspects=("material", "size")),
    )
    yield "close", *about(lookup(product(), product("P2"), outcome=close))
    yield "none", *about(lookup(outcome=none))
    yield "none, near ones", *about(lookup(product("P3"), outcome=none))
    left, right = lookup(product(), where="left"), lookup(product("P2", price=Decimal(99)), where="right")
    yield "comparison", *about(left, right, kind=Kind.COMPARISON, aspects=("compare",))
    yield (
        "close beside clear",
        *about(lookup(product(), product("P2"), outcome=close), lookup(product("P3"), number=2), looks=2),
    )
    yield "two pictures", *about(lookup(product()), lookup(outcome=none, number=2), looks=2)


def made(read: Reading, facts: Facts, words: ShopWords) -> Draft:
    """The draft, which these cases always have."""
    found = draft(read, facts, shop=words, now=NOW)
    if found is None:
        raise AssertionError(f"no draft for {read.language}")
    return found


def snapshot(language: str) -> str:
    """The replies of a language as the snapshot file holds them."""
    lines = [f"version {phrases(language).version}"]
    lines += [f"[{name}] {one.template_id} {one.route.value}\n{one.text}" for name, one in cases(language)]
    return "\n\n".join(lines) + "\n"


if __name__ == "__main__":
    for tag in LANGUAGES:
        (SNAPSHOTS / f"{tag}.txt").write_text(snapshot(tag), "utf-8")
