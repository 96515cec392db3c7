"""Segmentation for search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.knowledge.words import MOST_TERMS, Term, fold, grams, terms, wording


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("开发票", "开发 发票 票"),
        ("退", "退"),
        ("可以开 Invoice 吗？", "可以 以开 开 invoice 吗"),
        ("ＵＳＢ　充电器", "usb 充电 电器 器"),
        ("iPhone15保护壳", "iphone15 保护 护壳 壳"),
        ("配送はいつ？", "配送 送は はい いつ つ"),
        ("배송은 언제", "배송 송은 은 언제 제"),
        ("Straße, Größe", "strasse grösse"),
        ("deliveries returns glass", "delivery return glass"),
        ("！？ ~", ""),
    ],
)
def test_a_wording_becomes_bigrams_and_words(text: str, expected: str) -> None:
    assert grams(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("票", (Term("票", prefix=True),)),
        ("发票", (Term("发票"),)),
        ("开发票", (Term("开发"), Term("发票"))),
        ("你好，请问开发票", (Term("开发"), Term("发票"))),
        ("Please, how do I return it?", (Term("how", prefix=True), Term("return", prefix=True))),
        ("你好", (Term("你好"),)),
        ("is it", (Term("is"), Term("it"))),
        ("", ()),
    ],
)
def test_a_question_becomes_terms_without_courtesies(text: str, expected: tuple[Term, ...]) -> None:
    assert terms(text) == expected


def test_a_wording_counts_without_tails_and_repeats() -> None:
    assert wording(grams("开发票，开发票 can I get an invoice")) == ("开发", "发票", "get", "invoice")
    assert wording(grams("is it")) == ("is", "it")


def test_a_very_long_text_asks_for_a_bounded_number_of_terms() -> None:
    assert len(terms("".join(chr(0x4E00 + n) for n in range(5000)))) == MOST_TERMS


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc"]), max_size=60))
def test_folding_twice_is_folding_once_and_grams_hold_no_markup(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert all(gram.isalnum() for gram in grams(text).split())


@given(st.text(alphabet="开发票长江大桥退货abc15 ，", min_size=1, max_size=20))
def test_every_piece_of_a_wording_is_found_by_its_grams(text: str) -> None:
    column = grams(text).split()
    for term in terms(text):
        assert any(gram.startswith(term.text) if term.prefix else gram == term.text for gram in column)
