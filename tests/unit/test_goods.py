"""Replies about products: figures only from records, things told apart, engines' words only where they may stand."""

from decimal import Decimal
from typing import Any

import pytest

from cs_bot.answer import LANGUAGES, wanted, written
from cs_bot.answer.templates import phrases
from cs_bot.claims import find_claims, slot_names
from cs_bot.errors import DraftRefused
from cs_bot.knowledge.product_words import read_product_words
from cs_bot.records import Draft, Facts, Kind, LookupOutcome, Product, Reason, Route
from cs_bot.testing import some_words
from cs_bot.vision.base import Ask
from tests.readings import look, turn
from tests.unit.answer_cases import SNAPSHOTS, goods_cases, lookup, made, order, owned, product, reading, shop, variants


@pytest.mark.parametrize("language", LANGUAGES)
def test_pieces_state_nothing_and_every_language_has_the_same(language: str) -> None:
    words, first = phrases(language), phrases("zh")
    assert words.pieces.keys() == first.pieces.keys()
    assert words.goods.keys() == first.goods.keys()
    for name, piece in words.pieces.items():
        assert find_claims(piece, language) == (), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reply_about_goods_goes_the_catalogs_way(language: str) -> None:
    for name, read, facts in goods_cases(language):
        draft = made(read, facts, shop(language.split("-")[0]))
        assert (draft.template_id, draft.route) == ("goods", Route.CATALOG), name


def test_price_stock_and_link_come_from_the_record() -> None:
    facts = Facts(products=(lookup(product(price=Decimal("88.50"), stock=0)),), fingerprint="f")
    text = made(reading("en", "product", Kind.PRODUCT, looks=(look(Kind.PRODUCT),)), facts, shop("en")).text
    assert "88.50 CNY" in text
    assert "out of stock" in text
    assert text.endswith("Link: https://shop.example/P1")


def test_what_the_record_does_not_say_is_not_said() -> None:
    facts = Facts(products=(lookup(product(price=None, stock=None, url=None)),), fingerprint="f")
    draft = made(reading("en", "product", Kind.PRODUCT, looks=(look(Kind.PRODUCT),)), facts, shop("en"))
    assert set(draft.slots) == {"p1.is"}


def test_a_variant_is_asked_for_only_where_it_matters() -> None:
    same = product(price=None, stock=None, variants=variants(1, 2))
    differs = product(price=None, stock=None, variants=variants(1, 0))
    for record, aspects, asks in ((same, ("price",), False), (differs, ("stock",), True), (differs, ("link",), False)):
        read = reading("en", "product", Kind.PRODUCT, looks=(look(Kind.PRODUCT),), aspects=aspects)
        draft = made(read, Facts(products=(lookup(record),), fingerprint="f"), shop("en"))
        assert ("p1.which" in draft.slots) is asks, (record, aspects)


def test_an_order_screen_beside_a_product_gets_an_answer_to_both() -> None:
    looks = (look(Kind.ORDER), look(Kind.PRODUCT))
    read = reading("en", "order_status", looks=looks)
    facts = owned(order(), products=(lookup(product(), number=2),))
    draft = made(read, facts, shop("en"))
    assert draft.route is Route.CATALOG
    assert "2845112344556677889" in draft.text
    assert "Picture 2: that should be our “Linen shirt P1”" in draft.text


@pytest.mark.parametrize("reason", [Reason.FOREIGN_ORDER, Reason.SECOND_FIELD_DISAGREES, Reason.ASKED_FOR_PERSON])
def test_what_speaks_against_an_order_keeps_products_out_too(reason: Reason) -> None:
    facts = Facts(products=(lookup(product()),), reasons=(reason,), fingerprint="f")
    draft = made(reading("en", "product", Kind.PRODUCT, looks=(look(Kind.PRODUCT),)), facts, shop("en"))
    assert "Linen" not in draft.text


def test_words_alone_that_the_catalog_does_not_know_are_left_to_a_person() -> None:
    facts = Facts(products=(lookup(number=None, outcome=LookupOutcome.NONE),), fingerprint="f")
    assert made(reading("en", "product", Kind.TEXT), facts, shop("en")).template_id == "checking"


def asked(kind: Kind = Kind.PRODUCT, language: str = "en", found: Facts | None = None) -> Ask | None:
    read = reading(language, "product", kind, looks=(look(kind),), question="Do you have this?")
    facts = found or Facts(products=(lookup(product()),), fingerprint="f")
    one = wanted(turn(), read, facts, made(read, facts, shop(language)), shop=shop(language), pictures={})
    return None if one is None else one.ask


def test_an_engine_is_asked_with_the_values_of_the_records() -> None:
    ask = asked()
    assert ask is not None
    assert ask.slots["p1.price"] == "129.00 CNY"
    assert ask.slots["p1.link"] == "https://shop.example/P1"
    assert ask.notes == ("p1 is the product that is meant",)


def test_an_engine_is_not_asked_about_orders_and_refusals() -> None:
    read = reading("en")
    for facts in (owned(order()), Facts(reasons=(Reason.FOREIGN_ORDER,))):
        assert wanted(turn(), read, facts, made(read, facts, shop("en")), shop=shop("en"), pictures={}) is None


def test_an_engines_words_take_the_templates_place() -> None:
    ask, draft = asked(), made(*_clear("en"))
    assert ask is not None
    words = some_words("Yes, I think this is the {p1.name}: {p1.stock}", likelihood=0.8)
    found = written(words, ask, draft)
    assert found.text == "Yes, I think this is the Linen shirt P1: It is in stock."
    assert (found.engine, found.route, found.signals) == ("scripted", Route.CATALOG, {"likelihood": 0.8})
    assert found.fingerprint == draft.fingerprint
    assert set(found.slots) == set(slot_names(found.template))


@pytest.mark.parametrize(
    "template",
    [
        "It costs 129 yuan.",
        "It is in stock!",
        "I will refund you tomorrow.",
        "See {p1.secret}",
        "Your order {order.number} is ready",
        "",
        "   ",
        "这款很好看，推荐给您。",
        "a { brace",
        "x" * 3000,
        "Yes\u202e, {p1.name}",
        "{p1.is}",
    ],
)
def test_an_engines_words_that_may_not_stand_are_refused(template: str) -> None:
    ask = asked()
    assert ask is not None
    with pytest.raises(DraftRefused):
        written(some_words(template), ask, made(*_clear("en")))


STATED = [
    line.split("\t")
    for line in (SNAPSHOTS.parent / "stated.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_more_than_two_hundred_statements_are_tried() -> None:
    assert len(STATED) >= 200


@pytest.mark.parametrize(("language", "said"), STATED)
def test_a_statement_of_an_engine_is_refused_alone_and_beside_a_slot(language: str, said: str) -> None:
    spoken = language if language in LANGUAGES else "en"
    ask = asked(language=spoken)
    assert ask is not None
    draft = made(*_clear(spoken))
    for template in (said, f"{{p1.name}} {said}"):
        with pytest.raises(DraftRefused):
            written(some_words(template), ask, draft)


def _clear(language: str) -> tuple[object, ...]:
    name, read, facts = next(iter(goods_cases(language)))
    assert name == "clear"
    return read, facts, shop(language)


def told(record: Product, question: str, language: str = "zh", **values: Any) -> Draft:
    """The templates' reply to a question about one product that was found."""
    words = read_product_words(question)
    shown = {"looks": (look(Kind.PRODUCT),), "aspects": words.aspects, "wanted": words.wanted, "question": question}
    found = lookup(record).model_copy(update={"hits": (lookup(record).hits[0].model_copy(update=values),)})
    return made(reading(language, "product", Kind.PRODUCT, **shown), Facts(products=(found,)), shop(language))


@pytest.mark.parametrize("question", ["红色的有货吗？", "红色的多少钱？", "有红色吗？"])
@pytest.mark.parametrize("goods", [{"variants": variants(1, 1)}, {"attributes": {"颜色": "黑色"}}])
def test_of_a_colour_that_the_record_does_not_list_neither_stock_nor_price_is_told(
    question: str, goods: dict[str, Any]
) -> None:
    draft = told(product(**goods), question)
    assert set(draft.slots) == {"p1.is", "p1.colour_line"}
    assert "货" not in draft.text
    assert "129" not in draft.text


def test_where_nobody_counts_one_variant_the_product_is_not_called_sold_out() -> None:
    assert "p1.stock" not in told(product(stock=None, variants=variants(0, None)), "有货吗？").slots
    assert "没有现货" in told(product(stock=None, variants=variants(0, 0)), "有货吗？").text


def test_a_variant_without_a_price_of_its_own_has_the_products() -> None:
    black, white = variants(1, 1)
    goods = product(price=Decimal(200), variants=(black, white.model_copy(update={"price": None})))
    assert "129.00 元 到 200.00 元" in told(goods, "多少钱？").text
    unknown = product(price=None, variants=(black, white.model_copy(update={"price": None})))
    assert "看具体规格" in told(unknown, "多少钱？").text


def test_of_an_sku_that_a_record_has_twice_no_price_is_picked() -> None:
    black, white = variants(1, 1, price=150)
    goods = product(price=None, variants=(black, white.model_copy(update={"sku": black.sku})))
    assert "129.00 元 到 150.00 元" in told(goods, "多少钱？", sku=black.sku).text


def test_a_price_of_nothing_is_no_price() -> None:
    assert set(told(product(price=Decimal(0)), "多少钱？").slots) == {"p1.is"}


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//shop.example/P1",
        "ftp://shop.example/P1",
        "https:///P1",
        "https://shop.example@evil.example/P1",
        "https://shop.example/P1 call 13800138000",
        'https://shop.example/"><b>',
        "https://[broken/P1",
    ],
)
def test_only_a_plain_web_address_is_ever_stated_as_a_link(url: str) -> None:
    draft = told(product(url=url), "链接发我")
    assert set(draft.slots) == {"p1.is"}
    cards = Facts(products=(lookup(product(url=url), product("P2"), outcome=LookupOutcome.CLOSE),))
    read = reading("zh", "product", Kind.PRODUCT, looks=(look(Kind.PRODUCT),))
    assert url not in made(read, cards, shop()).text


@pytest.mark.parametrize("title", ["\u200b\u202e", "x" * 5000])
def test_a_title_that_can_not_be_shown_is_not_answered_with(title: str) -> None:
    assert told(product(title=title), "多少钱？").template_id == "checking"


def test_braces_markup_and_hidden_characters_of_a_title_stay_words() -> None:
    text = told(product(title="{order.number}\n<b>帆布\u202e包</b>"), "多少钱？").text
    assert "「{order.number} <b>帆布包</b>」" in text
