"""What customers' words ask, in which mood, with which order numbers."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.knowledge.intents import LOGISTICS, MAX_READ, Question, read_question
from cs_bot.knowledge.order_numbers import typed_order_ids, without_order_ids
from cs_bot.records import Reason


def labelled() -> list[tuple[str, str, str]]:
    found = []
    for line in (Path(__file__).parents[1] / "data" / "questions.tsv").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            flags, intent, text = line.split("\t")
            found.append((flags.replace("-", ""), intent, text))
    return found


LABELLED = labelled()


def flags_of(question: Question) -> str:
    held = {
        "P": question.wants_person,
        "U": question.upset,
        "G": question.greeting_only,
        "S": question.several,
    }
    return "".join(flag for flag, holds in held.items() if holds)


def test_there_are_enough_labelled_questions() -> None:
    assert len(LABELLED) >= 150
    assert len({text for _, _, text in LABELLED}) == len(LABELLED)


@pytest.mark.parametrize(("flags", "intent", "text"), LABELLED)
def test_a_labelled_question_is_read_right(flags: str, intent: str, text: str) -> None:
    question = read_question(text)
    if flags in ("P", "U"):  # held for a person: what else was understood matters only where a label says so
        assert flags in flags_of(question)
        assert intent in ("unknown", question.intent)
        return
    assert (flags_of(question), question.intent) == (flags, intent)


def test_reasons_follow_from_the_words() -> None:
    question = read_question("骗子！我要退款，再不退就投诉。转人工！黑色还有货吗？")
    assert set(question.reasons) == {Reason.UPSET, Reason.ASKED_FOR_PERSON, Reason.SEVERAL_QUESTIONS}
    assert read_question("什么时候发货").reasons == ()


def test_the_strictest_of_several_intents_wins() -> None:
    assert read_question("where is my order? please cancel it").intent == "cancel"
    assert read_question("发票开了吗？我要退款").intent == "refund"


def test_questions_that_one_reply_answers_are_not_several() -> None:
    for text in ("发货了吗，到哪了，几天能到", "where is it and when will it arrive", "发货了吗？单号多少？"):
        question = read_question(text)
        assert set(question.intents) <= LOGISTICS
        assert not question.several


def test_a_question_nobody_understood_beside_a_known_one_counts_as_another() -> None:
    for text in ("什么时候发货？你们老家是哪的？", "when will it ship? and which football team do you like?"):
        assert read_question(text).several


def test_a_long_remark_nobody_understood_counts_as_another() -> None:
    remark = "上次在别家看到的那件衣裳洗过以后整个变得又小又皱完全没法再穿出门见人真是让人头疼得很呐"
    assert read_question(f"什么时候发货？{remark}").several


def test_empty_and_wordless_messages_are_unknown_or_greetings() -> None:
    assert read_question("").intent == "unknown"
    assert not read_question("").greeting_only
    assert read_question("👍").greeting_only
    assert read_question("[微笑]\n你好").greeting_only
    assert not read_question("你好，13812345678").greeting_only


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("订单号 2845112344556677889", ["2845112344556677889"]),
        ("订单 2845 1123 4455 6677 什么时候发货", ["2845112344556677"]),
        ("１２３４５６７８９０１２３", ["1234567890123"]),
        ("240903-123456789012345 到哪了", ["240903-123456789012345"]),
        ("112-1234567-1234567 where is it", ["112-1234567-1234567"]),
        ("注文番号 123456-20260903-0123456789", ["123456-20260903-0123456789"]),
        ("#1001", ["#1001"]),
        ("order #1001?", ["1001"]),
        ("Order number: 10452", ["10452"]),
        ("订单号：E20260903001", ["E20260903001"]),
        ("240903abc12xyz", ["240903ABC12XYZ"]),
        ("12345678 87654321", ["12345678", "87654321"]),
        ("1234567890123\n9876543210987", ["1234567890123", "9876543210987"]),
        ("1234567890123 和 1234567890123", ["1234567890123"]),
        ("13812345678", []),
        ("我的手机 13812345678", []),
        ("电话 021-12345678", []),
        ("010-1234-5678", []),
        ("090-1234-5678", []),
        ("+1 555 123 4567", []),
        ("(555) 123-4567", []),
        ("555-123-4567", []),
        ("2026-09-03 14:05:06 付的款", []),
        ("20260903 下的单", []),
        ("2026年9月3日", []),
        ("¥12345678", []),
        ("$12,345,678.00", []),
        ("12345678元", []),
        ("12345678.90", []),
        ("运单号 SF1234567890123", []),
        ("快递单号 773012345678901", []),
        ("tracking number 123456789012", []),
        ("1234567", []),
        ("1" * 29, []),
        ("", []),
    ],
)
def test_order_numbers_are_told_from_other_numbers(text: str, ids: list[str]) -> None:
    assert list(typed_order_ids(text)) == ids


def test_an_order_number_is_no_word_of_the_question() -> None:
    assert without_order_ids("订单 1234567890123 到哪了").split() == ["订单", "到哪了"]
    question = read_question("1231512315123 到哪了")
    assert question.typed_order_ids == ("1231512315123",)
    assert not question.upset


@given(st.text(max_size=200))
def test_any_text_is_read_and_reading_it_twice_agrees(text: str) -> None:
    question = read_question(text)
    assert question == read_question(text)
    assert question.intent in question.intents


@given(st.from_regex(r"[2-9][0-9]{12,18}", fullmatch=True), st.sampled_from(["你好", "where is it", "\n", " "]))
def test_a_long_number_is_found_whatever_stands_around_it(number: str, words: str) -> None:
    assert typed_order_ids(f"{words} {number} {words}") == (number,)


WISHES = [
    line
    for line in (Path(__file__).parents[1] / "data" / "wishes.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize("text", WISHES)
def test_a_wish_is_never_taken_for_a_mere_question_about_an_order(text: str) -> None:
    question = read_question(text)
    assert question.reasons or question.intent not in (*LOGISTICS, "order_amount")


@pytest.mark.parametrize("piece", ["1", " ", "1 ", "\n", "a", "订单", "¥1", "can you ", "👍"])
def test_a_long_text_is_read_in_time_that_grows_with_its_length_only(piece: str) -> None:
    read_question("warm up")
    start = time.process_time()
    assert read_question((piece * MAX_READ)[: 5 * MAX_READ]) is not None
    assert time.process_time() - start < 2.0  # quadratic patterns took 30 to 130 s here


def test_a_text_too_long_to_be_read_whole_counts_as_several_questions() -> None:
    assert read_question("什么时候发货" + "。" * 4000 + "我要退款").several
