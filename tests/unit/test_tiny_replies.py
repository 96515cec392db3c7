"""Replies that the tiny checkpoint learns: what the app would let stand, with the slots for what was asked."""

import random
import re
from datetime import UTC, datetime

import pytest

from cs_bot.answer import ShopWords, draft, written
from cs_bot.claims import find_claims, words_outside
from cs_bot.demo.tiny.asks import Enquiry, enquiry
from cs_bot.demo.tiny.replies import LOOK_INTO_IT, reply
from cs_bot.records import Kind
from cs_bot.vision.base import Words
from cs_bot.vision.prompts import load_prompts
from cs_bot.vision.replies import judged

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def enquiries(kind: Kind, count: int = 80) -> list[Enquiry]:
    return [enquiry(kind, random.Random(f"{kind}/{number}")) for number in range(count)]


@pytest.mark.parametrize("kind", list(Kind))
def test_every_reply_passes_the_apps_own_checks(kind: Kind) -> None:
    prompts = load_prompts()
    for one in enquiries(kind):
        shop = ShopWords(name=one.ask.shop, language=one.ask.language)
        made = draft(one.reading, one.facts, shop=shop, now=NOW)
        assert made is not None
        template = judged(one.reply, one.ask.slots, prompts.ours(one.ask))
        words = Words(template=template, signals={}, engine="tiny", engine_version="1", prompt_version="1")
        assert written(words, one.ask, made).template == one.reply


def test_a_product_that_is_clear_is_named_and_its_price_is_told_when_asked() -> None:
    slots = {"p1.name": "Mug", "p1.price": "18.50 USD", "p1.stock": "It is in stock.", "shop.name": "Shop"}
    said = reply(Kind.PRODUCT, "en", slots, ("price",), random.Random(1))
    assert "{p1.name}" in said
    assert "{p1.price}" in said
    assert "{p1.stock}" not in said


def test_what_no_slot_answers_is_looked_into() -> None:
    said = reply(Kind.ORDER, "zh", {"shop.name": "店"}, (), random.Random(1))
    assert said in LOOK_INTO_IT["zh"]
    assert LOOK_INTO_IT["en"][0] in reply(Kind.PRODUCT, "en", {"p1.name": "Mug"}, ("size",), random.Random(1))


def test_several_pictures_are_told_apart_by_their_slots() -> None:
    slots = {f"p{number}.{key}": "x" for number in (1, 2) for key in ("where", "name", "price")}
    said = reply(Kind.PRODUCT, "zh", slots, ("price",), random.Random(1))
    assert "{p1.where}应该是「{p1.name}」" in said
    assert "{p2.where}应该是「{p2.name}」" in said


def test_asks_come_in_four_languages_with_and_without_pictures() -> None:
    found = enquiries(Kind.PRODUCT)
    assert {one.ask.language for one in found} == {"zh", "en", "ja", "ko"}
    assert {one.drawing is None for one in found} == {True, False}


def test_the_example_of_the_rules_is_a_reply_that_may_stand() -> None:
    found = re.search(r'Example: "([^"]+)"', load_prompts().texts["system"])
    assert found is not None
    assert find_claims(words_outside(found.group(1))) == ()
