"""The lite engine's own clock and thread, with an OCR that does as it is told."""

import io
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from cs_bot.errors import EngineError, EngineTimeout
from cs_bot.records import Look
from cs_bot.vision.base import PictureInput
from cs_bot.vision.lite.boxes import page_of
from cs_bot.vision.lite.engine import LiteEngine
from cs_bot.vision.lite.lexicon import FORMATS
from cs_bot.vision.lite.ocr import Pixels, Scan
from tests.unit.vision.drawn import box


class ToldOcr:
    """Reads every picture as one line; a picture wider than 100 pixels waits for `released`, a lower one raises."""

    version = "0"

    def __init__(self) -> None:
        self.released = threading.Event()
        self.threads: set[int] = set()
        self.left: list[bool] = []

    def scan(self, picture: Pixels, alive: Callable[[], bool] = lambda: True) -> Scan:
        self.threads.add(threading.get_ident())
        height, width = picture.shape[:2]
        if height < 10:
            raise RuntimeError("native trouble")
        if width > 100:
            self.released.wait(20)
            self.left.append(alive())
        return Scan(picture, page_of(width, height, [box("hello", 1, 1, height=8)]), 0, 1)

    def line(self, crop: Pixels) -> str:
        return "hello"


def png(width: int, height: int) -> PictureInput:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(out, "PNG")
    return PictureInput(f"{width}x{height}", out.getvalue())


FINE, HANGS, RAISES = png(60, 20), png(120, 20), png(60, 5)


@pytest.fixture
def ocr() -> Iterator[ToldOcr]:
    told = ToldOcr()
    yield told
    told.released.set()


@pytest.fixture
def engine(ocr: ToldOcr) -> Iterator[LiteEngine]:
    made = LiteEngine(ocr, FORMATS, timeout_s=0.3)
    yield made
    ocr.released.set()
    made.close()


def test_a_picture_that_fails_never_fails_its_list(engine: LiteEngine) -> None:
    broken = PictureInput("broken", b"no picture")
    first, second, third, last = engine.look([FINE, broken, RAISES, FINE])
    assert isinstance(first, Look)
    assert isinstance(last, Look)
    assert isinstance(second, EngineError)
    assert isinstance(third, EngineError)
    assert "native trouble" not in str(third)  # what a library prints may hold what the picture holds


def test_a_reading_that_hangs_is_given_up_and_the_engine_says_it_is_unwell(engine: LiteEngine, ocr: ToldOcr) -> None:
    first, second = engine.look([HANGS, FINE])
    assert isinstance(first, EngineTimeout)
    assert isinstance(second, EngineTimeout)
    assert not engine.healthy
    ocr.released.set()
    until = time.monotonic() + 5
    while not engine.healthy and time.monotonic() < until:
        time.sleep(0.01)
    assert engine.healthy
    assert ocr.left == [False]  # it was told that nobody waits any more
    assert isinstance(engine.look([FINE])[0], Look)


def test_the_deadline_bounds_the_whole_list(ocr: ToldOcr) -> None:
    slow = LiteEngine(ocr, FORMATS, timeout_s=30)
    started = time.monotonic()
    results = slow.look([HANGS, HANGS, FINE], deadline_s=0.3)
    assert time.monotonic() - started < 5
    assert [type(result) for result in results] == [EngineTimeout] * 3
    ocr.released.set()
    slow.close()


def test_one_thread_reads_for_all_callers(engine: LiteEngine, ocr: ToldOcr) -> None:
    results: list[Look | EngineError] = []
    callers = [threading.Thread(target=lambda: results.extend(engine.look([FINE], deadline_s=10))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert [type(result) for result in results] == [Look] * 4
    assert len(ocr.threads) == 1


def test_progress_is_told_after_each_picture_and_may_stop_the_list(engine: LiteEngine) -> None:
    seen: list[int] = []

    def stop_at_two() -> None:
        seen.append(1)
        if len(seen) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        engine.look([FINE, FINE, FINE], progress=stop_at_two)
    assert len(seen) == 2


def test_a_closed_engine_answers_with_an_error(engine: LiteEngine) -> None:
    engine.close()
    engine.close()
    assert isinstance(engine.look([FINE])[0], EngineError)
    assert not engine.healthy
