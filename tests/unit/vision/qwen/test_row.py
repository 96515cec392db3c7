"""A question on its way: signs of life while nothing comes, its end when nobody listens."""

import time
from typing import Any

import pytest

from cs_bot.errors import EngineTimeout
from cs_bot.vision.chat import ChatPiece
from cs_bot.vision.qwen import row as rows
from cs_bot.vision.qwen.row import Row


def row(seconds: float, **values: Any) -> Row:
    """A row without a prompt: nothing here computes anything."""
    return Row(prompt=None, until=time.monotonic() + seconds, **values)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _signs_come_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "SIGN_S", 0.01)


def test_a_row_that_streams_gives_signs_of_life_and_can_be_closed_at_them() -> None:
    waiting = row(60.0, streams=True)
    results = waiting.results()
    assert [next(results), next(results)] == [ChatPiece(), ChatPiece()]
    assert not waiting.left
    results.close()  # type: ignore[attr-defined]
    assert waiting.left, "the runner lets it go"


def test_signs_of_life_do_not_put_the_end_off() -> None:
    begun = time.monotonic()
    with pytest.raises(EngineTimeout):
        list(row(0.2, streams=True).results())
    assert 0.15 < time.monotonic() - begun < 5


def test_a_row_whose_answer_is_wanted_whole_gives_none() -> None:
    with pytest.raises(EngineTimeout):
        next(row(0.05).results())
