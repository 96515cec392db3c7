"""The task level over any generator: two tries, one bad picture alone, nothing raised but what a caller raises."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from cs_bot.errors import ConfigError, EngineError, EngineTimeout, LookUnusable
from cs_bot.records import Kind, Look
from cs_bot.vision import together
from cs_bot.vision.base import Ask, PictureInput, Words
from cs_bot.vision.generating import Generation, Prompt
from cs_bot.vision.prompted import Limits, PromptedVision
from cs_bot.vision.prompts import load_prompts
from tests.contracts.openai_fake import DRESS

ASK = Ask(Kind.TEXT, "zh", "?", slots={"faq.answer": "可以。"})


class Scripted:
    """A generator that says what it is told, and remembers every prompt."""

    available = healthy = True

    def __init__(self, says: Callable[[Prompt], Generation | Exception]) -> None:
        self._says = says
        self.prompts: list[Prompt] = []
        self.closed = 0

    def generate(
        self, prompt: Prompt, *, schema: type[BaseModel] | None = None, max_tokens: int, labels: Any = (), until: float
    ) -> Generation:
        assert (schema is None) == (prompt.name == "classify")
        self.prompts.append(prompt)
        said = self._says(prompt)
        if isinstance(said, Exception):
            raise said
        return said

    def check(self) -> str:
        return "scripted"

    def close(self) -> None:
        self.closed += 1


def product(prompt: Prompt) -> Generation:
    return Generation("product" if prompt.name == "classify" else json.dumps({"items": [DRESS]}))


def over(says: Callable[[Prompt], Generation | Exception], **limits: Any) -> tuple[PromptedVision, Scripted]:
    generator = Scripted(says)
    made = PromptedVision(generator, name="x", version="1", prompts=load_prompts(), limits=Limits(**limits))
    return made, generator


def pictures(*names: str) -> list[PictureInput]:
    return [PictureInput(name * 64, b"") for name in names]


def test_a_kind_without_a_reading_is_asked_nothing_more() -> None:
    engine, generator = over(lambda _: Generation("other"))
    (look,) = engine.look(pictures("a"))
    assert isinstance(look, Look)
    assert (look.kind, look.items, look.fields) == (Kind.OTHER, (), {})
    assert [prompt.name for prompt in generator.prompts] == ["classify"]


def test_a_kind_is_asked_for_twice_at_most() -> None:
    engine, generator = over(lambda _: Generation("a lovely picture"))
    (failed,) = engine.look(pictures("a"))
    assert isinstance(failed, EngineError)
    assert len(generator.prompts) == 2


@pytest.mark.parametrize(
    "raised", [EngineTimeout(), EngineError("x"), ConfigError("y"), ValueError("CANARY"), KeyError("CANARY")]
)
def test_whatever_goes_wrong_with_one_picture_leaves_the_others_alone(raised: Exception) -> None:
    def says(prompt: Prompt) -> Generation | Exception:
        return raised if prompt.pictures[0].sha256[0] == "b" else product(prompt)

    engine, _ = over(says)
    first, bad, last = engine.look(pictures("a", "b", "c"))
    assert isinstance(first, Look)
    assert isinstance(last, Look)
    assert isinstance(bad, EngineError)
    assert "CANARY" not in str(bad)


def test_words_are_asked_for_twice_and_the_reason_is_ours() -> None:
    said = iter(['{"reply": "只要 9 元 CANARY"}', '{"reply": "您好，{faq.answer}"}'])
    engine, generator = over(lambda _: Generation(next(said)))
    (words,) = engine.write([ASK])
    assert isinstance(words, Words)
    assert words.template == "您好，{faq.answer}"
    assert words.signals == {}
    assert "a figure stands outside the braces" in generator.prompts[1].text
    assert "CANARY" not in generator.prompts[1].text


def test_a_cut_off_answer_is_not_asked_for_again() -> None:
    engine, generator = over(lambda _: Generation('{"reply": "您好', finish_reason="length"))
    (failed,) = engine.write([ASK])
    assert isinstance(failed, LookUnusable)
    assert "cut off" in str(failed)
    assert len(generator.prompts) == 1


def test_what_progress_raises_ends_the_call_and_starts_nothing_more() -> None:
    engine, generator = over(product, concurrency=1)

    def stop() -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError):
        engine.look(pictures(*"abcdefgh"), progress=stop)
    engine.close()
    assert len(generator.prompts) < 16


def test_progress_is_told_in_the_callers_thread() -> None:
    engine, _ = over(product)
    told: list[threading.Thread] = []
    engine.look(pictures("a", "b"), progress=lambda: told.append(threading.current_thread()))
    assert set(told) == {threading.current_thread()}


def test_closing_closes_the_generator_once_and_nothing_is_available_then() -> None:
    engine, generator = over(product)
    assert (engine.available, engine.healthy) == (True, True)
    engine.close()
    engine.close()
    assert (engine.available, engine.healthy, generator.closed) == (False, False, 1)
    assert [type(result) for result in engine.look(pictures("a"))] == [EngineError]


class Slow(Scripted):
    """A generator whose answers take long."""

    def __init__(self, seconds: float, beating: bool) -> None:
        super().__init__(lambda _: Generation("other"))
        self._seconds, self._beating, self.beats = seconds, beating, 0

    def generate(self, *args: Any, **options: Any) -> Generation:
        end = time.monotonic() + self._seconds
        while time.monotonic() < end:
            time.sleep(0.02)
            self.beats += self._beating
        return super().generate(*args, **options)


@pytest.mark.parametrize("beating", [True, False])
def test_a_long_answer_tells_of_progress_while_the_generator_gets_on(
    beating: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "BEAT_S", 0.1)  # patch: a test can't wait that long
    engine = PromptedVision(Slow(0.6, beating), name="x", version="1", prompts=load_prompts(), limits=Limits())
    told: list[int] = []
    (look,) = engine.look(pictures("a"), progress=lambda: told.append(1))
    assert isinstance(look, Look)
    assert (len(told) > 2) is beating
    assert len(told) >= 1
    engine.close()


@pytest.mark.parametrize("share_time", [True, False])
def test_pictures_that_slow_each_other_down_may_have_the_time_of_all(share_time: bool) -> None:
    given: list[float] = []

    class Timed(Scripted):
        def generate(self, *args: Any, until: float, **options: Any) -> Generation:
            given.append(until - time.monotonic())
            return super().generate(*args, until=until, **options)

    engine = PromptedVision(
        Timed(lambda _: Generation("other")),
        name="x",
        version="1",
        prompts=load_prompts(),
        limits=Limits(timeout_s=100.0, concurrency=3, share_time=share_time),
    )
    engine.look(pictures(*"abcde"))
    engine.close()
    assert [round(seconds, -1) for seconds in given] == [300 if share_time else 100] * 5
