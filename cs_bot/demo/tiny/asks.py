"""Asks as the app makes them: drawn products, looked up more or less clearly, and what customers want to know."""

import random
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from cs_bot.answer.goods import about_goods
from cs_bot.answer.templates import phrases
from cs_bot.demo.tiny.frames import Drawing
from cs_bot.demo.tiny.questions import before, question
from cs_bot.demo.tiny.replies import reply
from cs_bot.demo.tiny.scenes import scene
from cs_bot.demo.tiny.shelf import listed_thing, looked_up
from cs_bot.demo.tiny.showing import comparison, product
from cs_bot.demo.tiny.things import Thing
from cs_bot.knowledge.product_words import read_product_words
from cs_bot.records import (
    Facts,
    Item,
    Kind,
    Look,
    ProductLookup,
    Reading,
)
from cs_bot.vision.base import Ask, PictureInput
from cs_bot.vision.prompts import SHOWN

SHOPS = {"zh": "小满生活馆", "en": "Harbor & Pine", "ja": "はるかぜ商店", "ko": "봄바람 상점"}
OTHER_SHOPS = ("our shop", "Example Shop", "小满生活馆", "Lucky Store")
PICTURE = PictureInput("0" * 64, b"")  # the sample has the drawing itself


class Enquiry(NamedTuple):
    """What is asked, from which reading and facts, over which picture, and the reply to learn."""

    ask: Ask
    reading: Reading
    facts: Facts
    drawing: Drawing | None
    reply: str


class _Seen(NamedTuple):
    """What a picture shows: the drawing, its items, and the lookups of them."""

    drawing: Drawing | None
    items: tuple[Item, ...]
    lookups: tuple[ProductLookup, ...]
    second: tuple[Item, ...] = ()  # what another picture shows


NOTHING = _Seen(None, (), ())


def enquiry(kind: Kind, rng: random.Random) -> Enquiry:
    """One of a kind."""
    language = rng.choices(("zh", "en", "ja", "ko"), (58, 24, 11, 7))[0]
    thing = listed_thing(rng)
    asked = question(kind, language, thing, rng)
    words = read_words(asked.text)
    seen = _MAKERS[kind](rng, language, thing) if asked.names or kind in SHOWN else NOTHING
    shown = [items for items in (seen.items, seen.second) if items] if kind in SHOWN else []
    looks = tuple(_look(kind, items) for items in shown)
    reading = Reading(
        kind=kind,
        kinds={kind: 1.0},
        looks=looks,
        question=asked.text,
        language=language,
        intent="product",
        aspects=words,
        numbers=tuple(range(1, len(looks) + 1)),
    )
    facts = Facts(products=seen.lookups, fingerprint="f")
    about = about_goods(reading, facts, phrases(language))
    shop = SHOPS[language] if rng.random() < 0.6 else rng.choice(OTHER_SHOPS)
    slots = {**about.for_engines, "shop.name": shop}
    ask = Ask(
        kind=kind,
        language=language,
        question=asked.text,
        slots=slots,
        notes=tuple(about.notes),
        looks=looks,
        pictures=(PICTURE,) if seen.drawing is not None else (),
        earlier=before(language, rng),
        shop=shop,
    )
    return Enquiry(ask, reading, facts, seen.drawing, reply(kind, language, slots, words, rng))


@lru_cache(maxsize=5000)
def read_words(question: str) -> tuple[str, ...]:
    """The aspects that the app reads in a question."""
    return read_product_words(question).aspects


def _of_product(rng: random.Random, language: str, thing: Thing) -> _Seen:
    """One picture or two of one article each, or words about a picture before."""
    drawing, _ = product(rng, thing)
    items = (_item("whole", thing.category, thing.colour, thing.style),)
    first = looked_up(thing, language, rng)
    if rng.random() < 0.12:
        other = listed_thing(rng)
        second = looked_up(other, language, rng, number=2, clear=0.9)
        return _Seen(drawing, items, (first, second), (_item("whole", other.category, other.colour, other.style),))
    return _Seen(None if rng.random() < 0.08 else drawing, items, (first,))


def _of_comparison(rng: random.Random, language: str, thing: Thing) -> _Seen:
    drawing, placed = comparison(rng)
    items = tuple(_item(where, one.category, one.colour, one.style) for where, one in placed)
    lookups = tuple(looked_up(one, language, rng, where=where, clear=0.8, close=0.05) for where, one in placed)
    return _Seen(drawing, items, lookups)


def _of_scene(rng: random.Random, language: str, thing: Thing) -> _Seen:
    drawing, found = scene(rng)
    items = tuple(_item(str(number), *one) for number, one in enumerate(found, start=1))
    lookups = []
    for item in items[:4]:
        likely = rng.choice(((0.0, 0.0), (0.0, 1.0), (0.8, 0.2)))
        meant = thing if likely[0] else listed_thing(rng)
        lookups.append(looked_up(meant, language, rng, where=item.where, clear=likely[0], close=likely[1]))
    return _Seen(drawing, items, tuple(lookups))


def _of_words(rng: random.Random, language: str, thing: Thing) -> _Seen:
    """A thing named in words, that the catalog mostly knows."""
    return _Seen(None, (), (looked_up(thing, language, rng, number=None, clear=0.8),))


_MAKERS: dict[Kind, Callable[[random.Random, str, Thing], _Seen]] = {
    Kind.PRODUCT: _of_product,
    Kind.COMPARISON: _of_comparison,
    Kind.SCENE: _of_scene,
    Kind.TEXT: _of_words,
    Kind.OTHER: _of_words,
}


def _item(where: str, category: str, colour: str, style: str = "") -> Item:
    attributes = {"category": category, "colour": colour, **({"style": style} if style else {})}
    return Item(where=where, attributes=attributes)


def _look(kind: Kind, items: tuple[Item, ...]) -> Look:
    return Look(
        picture_sha256=PICTURE.sha256,
        kinds={kind: 1.0},
        items=items,
        engine="tiny",
        engine_version="1",
        prompt_version="1",
        seconds=0.0,
    )
