"""When a burst is answered: a table of what customers send, one message after the other."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cs_bot.settings import TurnSettings
from cs_bot.turns.arrival import asks_after_a_picture, due_time

START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
SETTINGS = TurnSettings(quiet_s=3.0, wait_at_most_s=10.0)


def said(text: str = "", at: float = 0.0, pictures: int = 0, unsettled: int = 0) -> dict[str, Any]:
    """A waiting message as the store gives it; `at` is seconds after the first one."""
    received_at = START + timedelta(seconds=at)
    return {"text": text, "pictures": pictures, "unsettled": unsettled, "received_at": received_at}


def due_after(*waiting: dict[str, Any], now: float | None = None, settings: TurnSettings = SETTINGS) -> float:
    """Seconds after the first message; `now` is when the last one came unless said."""
    moment = max(m["received_at"] for m in waiting) if now is None else START + timedelta(seconds=now)
    due_at = due_time(waiting, started=START, now=moment, settings=settings)
    return (due_at - START).total_seconds()


PHOTO = {"pictures": 1}
LOADING = {"pictures": 1, "unsettled": 1}


@pytest.mark.parametrize(
    ("waiting", "due"),
    [
        pytest.param([said("hi")], 3, id="a greeting waits for more"),
        pytest.param([said("Where is my order?")], 3, id="a question without a picture waits: a picture may follow"),
        pytest.param([said("hi"), said("are you there", 2)], 5, id="every message starts the quiet again"),
        pytest.param([said("hi"), said("hello?", 2), said("?", 4)], 7, id="and again"),
        pytest.param([said("a"), said("b", 9)], 10, id="never later than the longest wait"),
        pytest.param([said("a"), said("b", 9.9), said("c", 9.95)], 10, id="whatever comes at its end"),
        pytest.param([said(**LOADING)], 10, id="a picture on its way is waited for"),
        pytest.param([said(**PHOTO)], 3, id="a picture alone may be followed by its question"),
        pytest.param([said("When will it ship?", **PHOTO)], 0, id="a question with its picture is due at once"),
        pytest.param([said("When will it ship?", **LOADING)], 10, id="unless the picture is not there yet"),
        pytest.param([said(**PHOTO), said("When will it ship?", 1)], 1, id="a question after a picture too"),
        pytest.param([said("When will it ship?"), said("", 1, **PHOTO)], 4, id="but not one before it: more may come"),
        pytest.param([said(**PHOTO), said("hi", 1)], 4, id="a greeting after a picture is no question"),
        pytest.param([said("hello", **PHOTO)], 3, id="nor is one with it"),
        pytest.param([said("你好", **PHOTO)], 3, id="in Chinese neither"),
        pytest.param([said("你好"), said("", 1, **PHOTO), said("什么时候发货?", 2)], 2, id="greeting, photo, question"),
        pytest.param(
            [said("hi"), said("", 1, **LOADING), said("when does it ship?", 2)], 10, id="the same, photo on its way"
        ),
        pytest.param([said("   ", **PHOTO)], 3, id="blanks are no question"),
        pytest.param(
            [said("", 0, **PHOTO), said("", 1, pictures=2, unsettled=1), said("which is bigger?", 2)],
            10,
            id="one picture of several on its way holds all",
        ),
    ],
)
def test_a_burst_is_due(waiting: list[dict[str, Any]], due: float) -> None:
    assert due_after(*waiting) == pytest.approx(due)


def test_a_picture_that_settles_late_makes_its_question_due_then() -> None:
    assert due_after(said("when does it ship?", **PHOTO), now=6) == pytest.approx(6)


def test_a_burst_whose_time_is_over_is_due_in_the_past() -> None:
    assert due_after(said("hi"), now=60) == pytest.approx(3)
    assert due_after(said(**LOADING), now=60) == pytest.approx(10)


def test_the_quiet_is_never_longer_than_the_longest_wait() -> None:
    patient = TurnSettings(quiet_s=60, wait_at_most_s=5)
    assert due_after(said("hi"), settings=patient) == pytest.approx(5)


@pytest.mark.parametrize("thanks", ["谢谢", "thanks!", "ok"])
def test_small_talk_after_a_picture_is_told_from_a_question(thanks: str) -> None:
    assert not asks_after_a_picture([said(**PHOTO), said("hi", 1)])
    asked = asks_after_a_picture([said(**PHOTO), said(thanks, 1), said("why has it not been shipped", 2)])
    assert asked
