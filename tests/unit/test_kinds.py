"""Kinds of pictures with the words counted in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.knowledge.kinds import LIKELIHOODS, kind_of_turn, weigh
from cs_bot.knowledge.product_words import ProductWords, read_product_words
from cs_bot.records import ASPECTS, Kind

PHOTO = {Kind.PRODUCT: 0.5, Kind.SCENE: 0.35, Kind.COMPARISON: 0.05, Kind.OTHER: 0.1, Kind.ORDER: 0.0, Kind.TEXT: 0.0}


def likeliest(kinds: dict[Kind, float]) -> Kind:
    return max(kinds, key=lambda kind: kinds[kind])


shares = st.lists(st.floats(0.001, 1), min_size=5, max_size=5).map(
    lambda found: dict(zip(list(Kind)[:5], (one / sum(found) for one in found), strict=True))
)
words = st.builds(
    ProductWords,
    aspects=st.lists(st.sampled_from(ASPECTS), unique=True, max_size=4).map(tuple),
    place=st.booleans(),
    trouble=st.booleans(),
)


def test_every_aspect_has_a_row_and_every_row_every_kind_that_words_can_move() -> None:
    assert set(ASPECTS) <= set(LIKELIHOODS)
    for row in LIKELIHOODS.values():
        assert set(row) == {Kind.PRODUCT, Kind.COMPARISON, Kind.SCENE, Kind.OTHER}
        assert max(row.values()) == 1.0


@given(shares, words)
def test_words_move_no_order_page_and_the_sum_stays(shown: dict[Kind, float], said: ProductWords) -> None:
    moved = weigh(shown, said)
    assert sum(moved.values()) == pytest.approx(1.0)
    assert moved[Kind.ORDER] == shown[Kind.ORDER]
    assert (likeliest(moved) is Kind.ORDER) is (likeliest(shown) is Kind.ORDER)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", Kind.PRODUCT),
        ("多少钱", Kind.PRODUCT),
        ("好看吗，多少钱", Kind.PRODUCT),
        ("怎么搭配", Kind.SCENE),
        ("我客厅放什么沙发好", Kind.SCENE),
        ("路由器一直闪红灯", Kind.SCENE),
        ("这两个哪个好", Kind.COMPARISON),
        ("which rug would suit my living room", Kind.SCENE),
        ("does an iPad fit?", Kind.PRODUCT),
    ],
)
def test_the_words_beside_one_photo_decide(text: str, kind: Kind) -> None:
    assert likeliest(weigh(PHOTO, read_product_words(text))) is kind


def test_no_picture_is_text_and_an_order_page_decides_among_several() -> None:
    none = ProductWords()
    assert kind_of_turn([], none) == (Kind.TEXT, {Kind.TEXT: 1.0})
    order = {Kind.ORDER: 0.9, Kind.OTHER: 0.1}
    assert kind_of_turn([PHOTO, order, PHOTO], none)[0] is Kind.ORDER
    assert kind_of_turn([PHOTO, order], ProductWords(aspects=("compare",)))[0] is Kind.ORDER
    assert kind_of_turn([PHOTO, PHOTO], ProductWords(aspects=("compare",)))[0] is Kind.COMPARISON
    assert kind_of_turn([PHOTO, {Kind.OTHER: 1.0}], ProductWords(aspects=("compare",)))[0] is Kind.OTHER
