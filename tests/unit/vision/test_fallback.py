"""A second engine takes over what the first fails at, and every result says who made it."""

from collections.abc import Sequence
from typing import Any

import pytest

from cs_bot import observe
from cs_bot.errors import ConfigError, EngineError, EngineTimeout, LookUnusable
from cs_bot.records import Kind, Look
from cs_bot.testing import ScriptedVision, a_look, some_words
from cs_bot.vision import base
from cs_bot.vision.base import Ask, PictureInput, Vision, Words
from cs_bot.vision.fallback import Fallback

PICTURES = [PictureInput("a" * 64, b""), PictureInput("b" * 64, b"")]
ASK = Ask(Kind.TEXT, "zh", "?")


class First(ScriptedVision):
    """An engine that knows when it is down, and remembers how long it was given."""

    name = "first"
    available = True
    given: float | None = None

    def look(self, pictures: Sequence[PictureInput], *, deadline_s: float | None = None, progress: Any = None) -> Any:
        self.given = deadline_s
        return super().look(pictures, deadline_s=deadline_s, progress=progress)

    def check(self) -> str:
        return "the first one is there"


def first(**options: Any) -> First:
    return First(default=a_look(engine="first", engine_version="1"), words=lambda _: some_words("您好"), **options)


def second() -> ScriptedVision:
    return ScriptedVision(default=a_look(engine="second", engine_version="9"))


def engines(results: Sequence[Look | EngineError]) -> list[str]:
    return [result.engine if isinstance(result, Look) else type(result).__name__ for result in results]


def test_the_first_engine_answers_while_it_can() -> None:
    behind = second()
    both = Fallback(first(), behind)
    assert engines(both.look(PICTURES)) == ["first", "first"]
    assert behind.seen == []
    assert (both.name, both.version, both.prompt_version) == ("first", "1", "-")


def test_only_what_failed_is_looked_at_again_and_stands_in_its_place() -> None:
    behind = second()
    both = Fallback(first(looks={"a" * 64: EngineTimeout()}), behind)
    looks = both.look(PICTURES)
    assert engines(looks) == ["second", "first"]
    assert [look.picture_sha256 for look in looks if isinstance(look, Look)] == [p.sha256 for p in PICTURES]
    assert behind.seen == ["a" * 64]


@pytest.mark.parametrize("failures", [(EngineTimeout(), LookUnusable()), (LookUnusable(), EngineTimeout())])
def test_of_two_failures_the_one_that_may_pass_is_told(failures: tuple[EngineError, EngineError]) -> None:
    looking, behind = (ScriptedVision({"a" * 64: failure}) for failure in failures)
    (told,) = Fallback(looking, behind).look(PICTURES[:1])
    assert isinstance(told, EngineTimeout)


def test_a_first_engine_that_is_down_is_not_asked_and_recovers_by_itself() -> None:
    down = first()
    down.available = False
    both = Fallback(down, second())
    assert engines(both.look(PICTURES)) == ["second", "second"]
    assert down.seen == []
    assert isinstance(both.write([ASK])[0], EngineError)
    down.available = True
    assert engines(both.look(PICTURES)) == ["first", "first"]
    assert isinstance(both.write([ASK])[0], Words)


def test_the_second_engines_errors_are_errors() -> None:
    behind = second()
    behind.close()
    both = Fallback(first(looks={"a" * 64: EngineError()}), behind)
    assert engines(both.look(PICTURES)) == ["EngineError", "first"]


def test_part_of_the_time_is_kept_for_the_second_engine() -> None:
    ahead = first()
    Fallback(ahead, second()).look(PICTURES, deadline_s=10.0)
    assert ahead.given == pytest.approx(6.0)


def test_both_are_closed_and_both_must_be_healthy() -> None:
    ahead, behind = first(), second()
    both = Fallback(ahead, behind)
    assert both.healthy
    behind.healthy = False
    assert not both.healthy
    both.close()
    both.close()
    assert engines(both.look(PICTURES)) == ["EngineError", "EngineError"]


def test_the_check_names_both() -> None:
    assert Fallback(first(), second()).check() == "the first one is there; scripted takes over when it fails"


def test_load_engine_puts_a_fallback_behind_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base.ENGINES, "spare", base.EngineEntry("cs_bot.testing:spare_engine", "", writes=False))
    monkeypatch.setattr(
        "cs_bot.testing.spare_engine", lambda settings: second(), raising=False
    )  # a table entry of ours
    both = base.load_engine("openai", url="http://127.0.0.1:9/v1", fallback="spare")
    assert isinstance(both, Fallback)
    both.close()
    alone: Vision = base.load_engine("openai", url="http://127.0.0.1:9/v1", fallback="")
    assert not isinstance(alone, Fallback)
    alone.close()


def test_a_fallback_without_its_packages_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base.ENGINES, "far", base.EngineEntry("package_that_nobody_has:build", "far", writes=False))
    with pytest.raises(ConfigError, match=r"\.\[far\].*CSBOT_ENGINE__FALLBACK"):
        base.load_engine("openai", url="http://127.0.0.1:9/v1", fallback="far")
    with pytest.raises(ConfigError, match="nobody"):
        base.load_engine("openai", url="http://127.0.0.1:9/v1", fallback="nobody")


def test_results_are_counted_by_engine_call_and_outcome() -> None:
    def count(**labels: str) -> float:
        return observe.REGISTRY.get_sample_value("csbot_engine_results_total", labels) or 0.0

    before = count(engine="counted", call="look", outcome="EngineTimeout")
    base.counted("counted", "look", [a_look(), EngineTimeout(), EngineTimeout()])
    assert count(engine="counted", call="look", outcome="EngineTimeout") == before + 2
    assert count(engine="counted", call="look", outcome="ok") == 1
