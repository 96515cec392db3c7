"""Seeded contents of one order: numbers, money, times and goods as a platform would have them."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from cs_bot.records import OrderStatus
from tests.screens import words

SYMBOLS = {"CNY": "¥", "USD": "$", "GBP": "£", "JPY": "¥", "TWD": "$", "MYR": "RM", "SGD": "$", "KRW": "", "RUB": ""}
SUFFIXES = {"KRW": "원", "RUB": " ₽"}
WHOLE_UNITS = frozenset({"JPY", "TWD", "KRW", "RUB"})  # shown without decimals
PRICE_RANGE = {"CNY": (9, 420), "USD": (9, 140), "GBP": (8, 110), "JPY": (480, 9800), "TWD": (59, 1680)}
PRICE_RANGE |= {"MYR": (6, 180), "SGD": (4, 90), "KRW": (5000, 60000), "RUB": (390, 5200)}
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Item:
    """One line of goods; `price` is per piece."""

    name: str
    spec: str
    price: Decimal
    quantity: int
    art: int  # which drawn picture


@dataclass(frozen=True)
class OrderContent:
    """Everything a page may print about one order."""

    look: str
    language: str
    currency: str
    status: OrderStatus
    order_id: str
    shop: str
    items: tuple[Item, ...]
    subtotal: Decimal
    shipping: Decimal
    discount: Decimal
    total: Decimal
    created: datetime
    paid: datetime
    shipped: datetime
    received: datetime
    person: str
    phone: str
    place: str
    courier: str
    tracking: str
    track: str
    payment_no: str
    invoice_no: str
    extra: dict[str, str] = field(default_factory=dict)


def digits(rng: random.Random, count: int, first: str = "123456789") -> str:
    """`count` random digits, the first one out of `first`."""
    return rng.choice(first) + "".join(rng.choice("0123456789") for _ in range(count - 1))


def filled(rng: random.Random, pattern: str) -> str:
    """The pattern with every # replaced by a random digit."""
    return "".join(rng.choice("0123456789") if c == "#" else c for c in pattern)


def _amazon_id(rng: random.Random, first: tuple[str, ...]) -> str:
    return f"{rng.choice(first)}-{digits(rng, 7)}-{digits(rng, 7)}"


def order_number(look: str, language: str, created: datetime, rng: random.Random) -> str:
    """An order number in the platform's own format, without '#' or spaces."""
    makers = {
        "taobao": lambda: digits(rng, 19, "1234"),
        "jd": lambda: digits(rng, 12, "23"),
        "pdd": lambda: f"{created:%y%m%d}-{digits(rng, 15)}",
        "douyin": lambda: "69" + digits(rng, 17),
        "wechat": lambda: "372" + digits(rng, 16),
        "notes": lambda: "P" + digits(rng, 18, "67"),
        "shopify": lambda: str(
            rng.choice((rng.randint(1001, 1999), rng.randint(2000, 9999), rng.randint(10000, 58999)))
        ),
        "amazon": lambda: _amazon_id(
            rng, ("249", "250", "503") if language == "ja" else ("111", "112", "113", "702", "026")
        ),
        "rakuten": lambda: f"{digits(rng, 6, '23')}-{created:%Y%m%d}-{digits(rng, 10, '0')}",
        "shopee": lambda: f"{created:%y%m%d}" + "".join(rng.choice(CROCKFORD) for _ in range(8)),
        "foreign": lambda: digits(rng, 14, "123"),
    }
    return makers[look]()


def price(currency: str, rng: random.Random) -> Decimal:
    """A plausible price of one piece."""
    low, high = PRICE_RANGE[currency]
    amount = rng.randint(low, high)
    if currency in WHOLE_UNITS:
        return Decimal(amount - amount % 10 if currency in ("JPY", "KRW", "RUB") else amount)
    return Decimal(amount) + Decimal(rng.choice(("0.00", "0.90", "0.80", "0.99", "0.50", "0.45", "0.00", "0.26")))


def money(value: Decimal, currency: str) -> tuple[str, str, str, str]:
    """(symbol, whole part with separators where the platform has them, decimals with dot or '', suffix)."""
    group = "" if currency == "CNY" else ","
    if currency in WHOLE_UNITS:
        return SYMBOLS[currency], f"{value:{group}.0f}", "", SUFFIXES.get(currency, "")
    whole, _, decimals = f"{value:{group}.2f}".partition(".")
    return SYMBOLS[currency], whole, "." + decimals, SUFFIXES.get(currency, "")


def plain(value: Decimal, currency: str) -> str:
    """The amount as the truth has it: a plain decimal string."""
    return f"{value:.0f}" if currency in WHOLE_UNITS else f"{value:.2f}"


def goods(language: str, currency: str, count: int, rng: random.Random) -> tuple[Item, ...]:
    """`count` lines of goods, repeating the word list when it is shorter."""
    pool = list(words.GOODS[language])
    rng.shuffle(pool)
    picked = [pool[i % len(pool)] for i in range(count)]
    return tuple(
        Item(name, spec, price(currency, rng), rng.choice((1, 1, 1, 2, 3)), rng.randrange(1000))
        for name, spec in picked
    )


def _sums(items: tuple[Item, ...], currency: str, rng: random.Random) -> tuple[Decimal, Decimal, Decimal]:
    """(subtotal, shipping, discount), such that the total differs from every other printed sum in most orders."""
    subtotal = sum((i.price * i.quantity for i in items), Decimal(0))
    unit = {"JPY": 10, "TWD": 1, "KRW": 100, "RUB": 10}.get(currency)
    if unit:
        shipping = Decimal(rng.choice((0, 45, 60, 49)) * unit)
        discount = Decimal(int(subtotal) // 10 // unit * unit) if rng.random() < 0.6 else Decimal(0)
        return subtotal, shipping, discount
    shipping = Decimal(rng.choice(("0.00", "0.00", "6.00", "8.50", "4.99")))
    share = Decimal(rng.choice((0, 5, 8, 12, 20))) / 100
    return subtotal, shipping, (subtotal * share).quantize(Decimal("0.01"))


def _phone(language: str, rng: random.Random) -> str:
    patterns = {"zh": ("86-138####7###", "13########0", "150****####"), "zh-Hant": ("09########", "(+886) 9## ### ###")}
    patterns |= {"en": ("(555) 01#-####", "+1 555-01#-####"), "ja": ("090-####-####", "03-####-####")}
    patterns |= {"ko": ("010-####-####",), "ru": ("+7 9## ###-##-##",)}
    return filled(rng, rng.choice(patterns[language]))


def make_order(
    look: str, language: str, currency: str, status: OrderStatus, rng: random.Random, *, lines: int = 1
) -> OrderContent:
    """One order. `look` names the number format, `lines` how many kinds of goods it holds."""
    created = datetime(2024, 8, 1) + timedelta(seconds=rng.randrange(86400 * 460))  # noqa: DTZ001 - printed local time
    paid = created + timedelta(seconds=rng.randint(9, 900))
    shipped = paid + timedelta(seconds=rng.randint(20000, 160000))
    items = goods(language, currency, lines, rng)
    subtotal, shipping, discount = _sums(items, currency, rng)
    courier, pattern = rng.choice(words.COURIERS[language])
    stage = "delivered" if status in (OrderStatus.DELIVERED, OrderStatus.COMPLETED) else "shipped"
    return OrderContent(
        look=look,
        language=language,
        currency=currency,
        status=status,
        order_id=order_number(look, language, created, rng),
        shop=rng.choice(words.SHOPS[language]),
        items=items,
        subtotal=subtotal,
        shipping=shipping,
        discount=discount,
        total=subtotal + shipping - discount,
        created=created,
        paid=paid,
        shipped=shipped,
        received=shipped + timedelta(seconds=rng.randint(80000, 300000)),
        person=rng.choice(words.PEOPLE[language]),
        phone=_phone(language, rng),
        place=rng.choice(words.PLACES[language]),
        courier=courier,
        tracking=filled(rng, pattern),
        track=rng.choice(words.TRACKS[language][stage]),
        payment_no=f"{paid:%Y%m%d}2200" + digits(rng, 16),
        invoice_no=digits(rng, 20, "2"),
    )
