"""What the catalog holds of drawn things, and how a search for one may come out."""

import random
from datetime import UTC, datetime
from decimal import Decimal

from cs_bot.demo import goods
from cs_bot.demo.tiny.things import Thing, any_thing
from cs_bot.records import Likeness, LookupOutcome, Product, ProductHit, ProductLookup, Variant

WHEN = datetime(2026, 5, 1, tzinfo=UTC)
CURRENCIES = {"zh": "CNY", "en": "USD", "ja": "JPY", "ko": "KRW"}
SHAPES = {shape.name: shape for shape in goods.SHAPES}


def listed_thing(rng: random.Random, shape: str = "") -> Thing:
    """A thing that the shop could have."""
    colour, design = rng.choice(list(goods.COLOURS)), rng.choice(list(goods.DESIGNS))
    return any_thing(rng, shape=shape, colour=colour, design=design)


def code_of(thing: Thing, rng: random.Random) -> str:
    """A number as the shop gives it."""
    return f"{thing.shape[:2].upper()}{rng.randint(10_000, 99_999)}"


def titled(thing: Thing, language: str) -> str:
    """Its title; in English only the English half."""
    title = goods.title_of(SHAPES[thing.shape], thing.design, thing.colour)
    return title.partition(" ")[2] if language == "en" else title


def _known(rng: random.Random) -> bool:
    return rng.random() < 0.88


def record(thing: Thing, language: str, rng: random.Random) -> Product:
    """Its record. Now and then something is not known."""
    number, shape = code_of(thing, rng), SHAPES[thing.shape]
    price = Decimal(rng.randint(shape.cheapest, shape.cheapest * 3)) + Decimal("0.90")
    zh, en, _ = goods.COLOURS[thing.colour]
    attributes = {
        **({"颜色": f"{zh} {en}"} if _known(rng) else {}),
        **({"材质": shape.material} if _known(rng) else {}),
    }
    sizes = goods.SIZED.get(thing.shape, ()) if _known(rng) else ()
    return Product(
        product_id=number,
        channel="generic",
        account="main",
        title=titled(thing, language if rng.random() < 0.5 else "zh"),
        category=shape.category,
        currency=CURRENCIES[language] if rng.random() < 0.5 else "CNY",
        price=price if _known(rng) else None,
        stock=rng.choice((0, 3, 12, 40)) if _known(rng) and not sizes else None,
        url=f"https://shop.example/p/{number}" if _known(rng) else None,
        attributes=attributes,
        variants=tuple(_variant(number, size, price, rng) for size in sizes),
        updated_at=WHEN,
        synced_at=WHEN,
    )


def _variant(number: str, size: str, price: Decimal, rng: random.Random) -> Variant:
    stock = rng.choice((0, 4))
    return Variant(sku=f"{number}-{size}", title=size, attributes={"尺码": size}, price=price, stock=stock)


def _hit(found: Product) -> ProductHit:
    return ProductHit(product=found, likeness=Likeness.SAME_PICTURE, score=0.9, margin=0.3)


def looked_up(
    thing: Thing,
    language: str,
    rng: random.Random,
    *,
    number: int | None = 1,
    where: str = "whole",
    clear: float = 0.7,
    close: float = 0.15,
) -> ProductLookup:
    """How the search for it came out: mostly clear. What no shop lists is not found."""
    listed = thing.colour in goods.COLOURS and thing.design in goods.DESIGNS
    way = rng.random() if listed else 1.0
    if way < clear:
        one = _hit(record(thing, language, rng))
        return ProductLookup(number=number, where=where, outcome=LookupOutcome.CLEAR, hits=(one,))
    others = [*([thing] if listed else []), *(listed_thing(rng, thing.shape) for _ in range(2))]
    hits = tuple(_hit(record(one, language, rng)) for one in others[: rng.choice((2, 3))])
    if way < clear + close:
        return ProductLookup(number=number, where=where, outcome=LookupOutcome.CLOSE, hits=hits)
    near = hits[:1] if way < clear + 2 * close else ()
    return ProductLookup(number=number, where=where, outcome=LookupOutcome.NONE, hits=near)
