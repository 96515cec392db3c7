"""The engine's thread: what fails, hangs, runs out of memory or of time harms nobody else."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from cs_bot.errors import EngineError, EngineFull, EngineTimeout
from cs_bot.vision.generating import LABELS, Generation, Prompt
from cs_bot.vision.qwen import prefix, runner
from cs_bot.vision.qwen.row import Row
from tests.unit.vision.qwen.parts import SMALL, Parts, asked, drawn, opened, soon

PROMPTS = [asked(f"Question {n}" * (1 + n), drawn(30 + n, 120 + 40 * n)) for n in range(4)]


@pytest.fixture(scope="module")
def expected(random_checkpoint: Path) -> list[str]:
    """What the prompts give when nothing is short."""
    with opened(random_checkpoint) as parts:
        return [found.text for found in everything(parts)]


def everything(parts: Parts, prompts: list[Prompt] = PROMPTS) -> list[Generation]:
    """All prompts at once."""
    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(pool.map(lambda one: parts.generator.generate(one, max_tokens=12, until=soon()), prompts))


@contextmanager
def failing(module: Any, wrong: Callable[[dict[str, Any]], bool], problem: Callable[[], Exception]) -> Iterator[None]:
    """A module that raises whenever its arguments are wrong."""

    def check(_: Any, args: Any, given: dict[str, Any]) -> None:
        if wrong({**given, "args": args}):
            raise problem()

    hook = module.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def no_memory() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def no_cpu_memory() -> Exception:
    return RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("problem", [no_memory, no_cpu_memory])
def test_rows_that_do_not_fit_together_run_in_smaller_batches(
    random_checkpoint: Path, expected: list[str], most: int, problem: Callable[[], Exception]
) -> None:
    with (
        opened(random_checkpoint) as parts,
        failing(parts.network.model, lambda given: len(given["input_ids"]) > most, problem),
    ):
        assert [found.text for found in everything(parts)] == expected
        assert parts.generator.healthy


@pytest.mark.parametrize("where", ["first layer", "third layer", "last layer", "output"])
def test_memory_that_ends_half_way_through_a_token_loses_nothing(
    random_checkpoint: Path, expected: list[str], where: str
) -> None:
    with opened(random_checkpoint) as parts:
        layers = parts.network.model.language_model.layers
        places = {"first layer": layers[0], "third layer": layers[2], "last layer": layers[-1].mlp}
        place = places.get(where, parts.network.lm_head)

        def wrong(given: dict[str, Any]) -> bool:
            rows, *tokens = given["args"][0].shape[:-1]
            return rows > 2 and (not tokens or tokens == [1])

        with failing(place, wrong, no_memory):
            assert [found.text for found in everything(parts)] == expected


def test_a_row_that_does_not_fit_alone_is_seen_smaller(random_checkpoint: Path) -> None:
    prompt = asked("?", drawn(40, 640, 480))
    with opened(random_checkpoint) as parts:
        whole = parts.generator.generate(prompt, max_tokens=4, until=soon())
        parts.core.runner._prefixes.clear()
        with failing(parts.network.model.visual, lambda given: len(given["args"][0]) > 200, no_memory):
            found = parts.generator.generate(prompt, max_tokens=4, until=soon())
            kind = parts.generator.generate(prompt, max_tokens=4, labels=LABELS, until=soon())
    assert found.shrunk == kind.shrunk < whole.shrunk == 1.0 * whole.shrunk
    assert found.shrunk == pytest.approx(whole.shrunk / 2**0.5, rel=0.2)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_memory_that_ends_while_finished_rows_leave_changes_no_answer(
    random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """A kind beside answers of other lengths: each of them leaves at another step."""
    lengths = (3, 9, 9)

    def ask(parts: Parts) -> list[str]:
        def one(n: int) -> str:
            if n == 3:
                return parts.generator.generate(PROMPTS[3], max_tokens=1, labels=LABELS, until=soon()).text
            return parts.generator.generate(PROMPTS[n], max_tokens=lengths[n], until=soon()).text

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(one, range(4)))

    with opened(random_checkpoint) as parts:
        wanted, calls, whole = ask(parts), itertools.count(1), prefix._Layer.kept

        def kept(layer: Any, *where: Any) -> Any:
            if next(calls) == at:
                raise no_memory()
            return whole(layer, *where)

        monkeypatch.setattr(prefix._Layer, "kept", kept)
        assert ask(parts) == wanted
        assert next(calls) > at


def test_a_row_that_fails_even_to_shrink_fails_alone(
    random_checkpoint: Path, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    guilty = asked("?", drawn(41, 640, 480))

    def wrong(given: dict[str, Any]) -> bool:
        return len(given["args"][0]) > 1000

    def again(_: Row) -> bool:
        raise MemoryError

    monkeypatch.setattr(Row, "again", again)
    with (
        opened(random_checkpoint, budget=SMALL._replace(most=640 * 480)) as parts,
        failing(parts.network.model.visual, wrong, no_memory),
        ThreadPoolExecutor(3) as pool,
    ):
        asking = [
            pool.submit(parts.generator.generate, one, max_tokens=12, until=soon())
            for one in (PROMPTS[0], guilty, PROMPTS[1])
        ]
        with pytest.raises(EngineFull):
            asking[1].result()
        assert [asking[at].result().text for at in (0, 2)] == expected[:2]


def test_what_fits_in_no_size_is_said_so(random_checkpoint: Path) -> None:
    with opened(random_checkpoint) as parts:
        with failing(parts.network.model, lambda given: True, no_memory), pytest.raises(EngineFull):
            parts.generator.generate(asked("?", drawn(1)), max_tokens=4, until=soon())
        parts.generator.generate(asked("?", drawn(1)), max_tokens=4, until=soon())


def test_one_bad_row_fails_alone(random_checkpoint: Path, expected: list[str]) -> None:
    guilty = PROMPTS[2]
    with opened(random_checkpoint) as parts:
        ids = parts.encoded(guilty).ids[-30:]

        def wrong(given: dict[str, Any]) -> bool:
            return any(row[-30:] == ids for row in given["input_ids"].tolist())

        with failing(parts.network.model, wrong, lambda: ValueError("CANARY")), ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(parts.generator.generate, one, max_tokens=12, until=soon()) for one in PROMPTS]
            with pytest.raises(EngineError, match="ValueError"):
                asking[2].result()
            others = [future.result().text for at, future in enumerate(asking) if at != 2]
    assert others == [text for at, text in enumerate(expected) if at != 2]


@contextmanager
def slow(parts: Parts, seconds: float) -> Iterator[threading.Event]:
    """Every forward takes that long at least; the event tells that one has begun."""
    begun = threading.Event()

    def wait(*_: Any) -> None:
        begun.set()
        time.sleep(seconds)

    hook = parts.network.model.register_forward_pre_hook(wait)
    try:
        yield begun
    finally:
        hook.remove()


def test_time_that_is_up_ends_an_answer_between_two_tokens(random_checkpoint: Path) -> None:
    with opened(random_checkpoint) as parts, slow(parts, 0.05):
        began = time.monotonic()
        with pytest.raises(EngineTimeout):
            parts.generator.generate(asked("?", drawn(1)), max_tokens=4000, until=soon(0.6))
        assert time.monotonic() - began < 2.0
        time.sleep(0.3)
        beats = parts.generator.beats
        time.sleep(0.3)
        assert parts.generator.beats == beats  # nothing is computed for nobody


def test_a_row_joins_those_that_run_and_answers_the_same(random_checkpoint: Path, expected: list[str]) -> None:
    with opened(random_checkpoint) as parts, slow(parts, 0.01), ThreadPoolExecutor(4) as pool:
        asking = []
        for prompt in PROMPTS:
            asking.append(pool.submit(parts.generator.generate, prompt, max_tokens=12, until=soon()))
            time.sleep(0.06)
        assert [future.result().text for future in asking] == expected


def test_a_hanging_call_is_seen_from_outside(random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "HANGS_S", 0.3)  # patch: a test can't wait a minute
    with opened(random_checkpoint) as parts:
        released = threading.Event()
        hook = parts.network.model.register_forward_pre_hook(lambda *_: released.wait(20) and None)
        with pytest.raises(EngineTimeout):
            parts.generator.generate(asked("?"), max_tokens=4, until=soon(0.8))
        assert not parts.generator.healthy
        released.set()
        hook.remove()
        parts.generator.generate(asked("?"), max_tokens=4, until=soon())
        assert parts.generator.healthy


def test_a_lost_device_is_not_healthy_any_more(random_checkpoint: Path) -> None:
    with opened(random_checkpoint) as parts:
        lost = failing(parts.network.model, lambda given: True, lambda: RuntimeError("CUDA error: device-side assert"))
        with lost, pytest.raises(EngineError):
            parts.generator.generate(asked("?"), max_tokens=4, until=soon())
        assert not parts.generator.healthy


def test_closing_ends_what_runs_and_what_waits(random_checkpoint: Path) -> None:
    with opened(random_checkpoint, rows=1) as parts, slow(parts, 0.3) as begun, ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(parts.generator.generate, one, max_tokens=4000, until=soon()) for one in PROMPTS[:3]]
        assert begun.wait(20)
        parts.generator.close()
        parts.generator.close()
        for future in asking:
            with pytest.raises(EngineError, match="closed"):
                future.result(5)
        with pytest.raises(EngineError, match="closed"):
            parts.generator.generate(asked("?"), max_tokens=4, until=soon())
        assert not parts.core.runner._thread.is_alive()
        assert not parts.generator.healthy


def test_beats_grow_while_an_answer_is_written(random_checkpoint: Path) -> None:
    with opened(random_checkpoint) as parts:
        before = parts.generator.beats
        parts.generator.generate(asked("?", drawn(1)), max_tokens=4, until=soon())
        assert parts.generator.beats > before + 4 * len(parts.network.model.language_model.layers)


def test_prefixes_stay_within_their_bytes(random_checkpoint: Path) -> None:
    with opened(random_checkpoint) as parts:
        parts.generator.generate(PROMPTS[0], max_tokens=1, until=soon())
        size = parts.core.runner._prefixes._bytes
    assert size > 0
    with opened(random_checkpoint, kept_bytes=2 * size) as parts:
        for prompt in PROMPTS:
            parts.generator.generate(prompt, max_tokens=1, until=soon())
        kept = parts.core.runner._prefixes
        assert 0 < kept._bytes <= 2 * size
        assert kept._bytes == sum(prefix.size for prefix in kept._kept.values())


def test_what_goes_wrong_outside_of_the_network_ends_no_thread(random_checkpoint: Path) -> None:
    with opened(random_checkpoint) as parts:
        row = parts.core.runner.ask(Row(parts.encoded(PROMPTS[0]), soon(), label_ids=[10**9]))  # no such token
        with pytest.raises(EngineError, match="IndexError"):
            list(row.results())
        assert parts.generator.healthy
        parts.generator.generate(asked("?"), max_tokens=4, until=soon())
