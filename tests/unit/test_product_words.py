"""What words ask of a product, on labelled questions: a part that the rules were tuned on and one held out."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.knowledge.product_words import ProductWords, read_product_words
from cs_bot.records import ASPECTS
from tests.unit.test_intents import LABELLED as QUESTIONS
from tests.unit.test_intents import WISHES

DEV_BAR, HELD_BAR = 0.97, 0.9


@dataclass(frozen=True)
class Labelled:
    """One question with what it asks."""

    held: bool
    language: str
    aspects: frozenset[str]
    wanted: dict[str, str]
    text: str

    def is_right(self, words: ProductWords) -> bool:
        """Whether aspects and wanted are exactly the labels."""
        return set(words.aspects) == self.aspects and words.wanted == self.wanted


def labelled() -> list[Labelled]:
    """The rows of product_questions.tsv."""
    rows = (Path(__file__).parents[1] / "data" / "product_questions.tsv").read_text("utf-8").splitlines()
    found = []
    for split, language, aspects, wanted, text in (row.split("\t") for row in rows if not row.startswith("#")):
        pairs = dict(pair.split("=") for pair in wanted.split(",")) if wanted != "-" else {}
        found.append(Labelled(split == "held", language, frozenset(aspects.split(",")) - {"-"}, pairs, text))
    return found


LABELLED = labelled()


def right(*, held: bool) -> tuple[int, int, list[str]]:
    """(right, all, the texts read wrong) of one part."""
    part = [one for one in LABELLED if one.held is held]
    wrong = [one.text for one in part if not one.is_right(read_product_words(one.text))]
    return len(part) - len(wrong), len(part), wrong


def test_there_are_enough_labelled_questions_and_a_third_is_held_out() -> None:
    assert len({one.text for one in LABELLED}) == len(LABELLED) >= 200
    assert 0.3 < sum(one.held for one in LABELLED) / len(LABELLED) < 0.4
    assert {name for one in LABELLED for name in one.aspects} == set(ASPECTS)
    assert {one.language for one in LABELLED} == {"zh", "en", "ja", "ko"}


@pytest.mark.parametrize("held", [False, True], ids=["tuned on", "held out"])
def test_aspects_and_wanted_are_read_right(held: bool) -> None:
    good, total, wrong = right(held=held)
    assert good >= (HELD_BAR if held else DEV_BAR) * total, wrong


def test_questions_about_orders_and_rules_ask_nothing_of_a_product() -> None:
    silent = [one for one in LABELLED if not one.aspects]
    assert len(silent) >= 30
    assert [one.text for one in silent if read_product_words(one.text).aspects] == []


def test_words_about_orders_are_left_to_the_intents() -> None:
    orders = [(intent, text) for _, intent, text in QUESTIONS if intent != "product"]
    assert len(orders) > 150
    assert [text for _, text in orders if read_product_words(text).aspects] == []


def test_a_wish_is_no_question_about_a_product() -> None:
    assert [text for text in WISHES if read_product_words(text).only] == ["能便宜点吗"]  # the catalog may answer that


def test_aspects_come_in_the_order_of_the_records() -> None:
    assert read_product_words("链接发我，多少钱，有货吗").aspects == ("price", "stock", "link")


@pytest.mark.parametrize(
    ("text", "only"),
    [
        ("多少钱", True),
        ("有黑色吗？多少钱？", True),
        ("你好，请问这个有货吗？谢谢", True),
        ("帮我看一下这个多少钱", True),
        ("第一张和第二张有啥不一样", True),
        ("How much is it? What sizes do you have?", True),
        ("多少钱？什么时候发货？", False),
        ("有货吗？我要退款", False),
        ("有黑色吗？运费多少？", False),
        ("黑色多少钱？白色有货吗？", False),  # of two variants
        ("如果没有黑色就退款", False),
        ("多少钱？你们老家是哪的？", False),
        ("什么时候发货", False),
        ("你好", False),
        ("", False),
    ],
)
def test_questions_that_fit_together_can_be_answered_at_once(text: str, only: bool) -> None:
    assert read_product_words(text).only is only


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("有黑色吗", True),
        ("还有货吗", True),
        ("这款多少钱", True),
        ("裙子多少钱", True),
        ("这条裙子有XL吗", True),
        ("is it in stock?", True),
        ("how much?", True),
        ("do you have black?", True),
        ("黒はありますか", True),
        ("블랙 있나요?", True),
        ("有雨伞吗", False),
        ("有裙子卖吗", False),
        ("充电宝多少钱", False),
        ("Do you sell umbrellas?", False),
        ("how much are your headphones", False),
        ("傘はありますか", False),
    ],
)
def test_words_that_name_no_thing_point_at_one_shown_before(text: str, points: bool) -> None:
    assert read_product_words(text).points is points


@given(st.text(max_size=200))
def test_any_text_is_read_and_reading_it_twice_agrees(text: str) -> None:
    words = read_product_words(text)
    assert words == read_product_words(text)
    assert set(words.aspects) <= set(ASPECTS)
    assert words.aspects or not (words.wanted or words.only)


@pytest.mark.parametrize("piece", ["有", "黑色", "1", " ", "how much ", "除了", "。", "a", "身高"])
def test_a_long_text_is_read_in_time_that_grows_with_its_length_only(piece: str) -> None:
    read_product_words("warm up")
    start = time.process_time()
    read_product_words((piece * 4000)[:20_000])
    assert time.process_time() - start < 3.0
