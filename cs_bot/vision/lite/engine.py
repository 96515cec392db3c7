"""The lite engine: pictures in, looks out, on a CPU, with its own clock."""

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Protocol, TypeVar

import numpy as np

from cs_bot.errors import BotError, EngineError, EngineTimeout, LookUnusable
from cs_bot.records import Item, Kind, Look, ReadField
from cs_bot.settings import EngineSettings
from cs_bot.vision.base import Ask, PictureInput, Words, counted
from cs_bot.vision.lite.fields import find, judge, lines_of
from cs_bot.vision.lite.guards import Evidence
from cs_bot.vision.lite.items import items_of
from cs_bot.vision.lite.kinds import is_list, kind_shares, order_weight
from cs_bot.vision.lite.layout import layout_of
from cs_bot.vision.lite.lexicon import FORMATS
from cs_bot.vision.lite.ocr import Ocr, Pixels, Scan, unturned

RULES_VERSION = "2"
THREADS = 2  # of one OCR call unless the settings say otherwise
MAX_LINES = 300
MAX_LINE = 200
UNREAD_SHARE = 0.25  # this share of the lines in no script the data knows: a foreign language
UNREAD_MIN = 3
SEVERAL_THINGS = 0.2  # a comparison at least this likely is described part by part
Boxed = TypeVar("Boxed", ReadField, Item)


@dataclass
class _Call:
    picture: PictureInput
    done: threading.Event = field(default_factory=threading.Event)
    given_up: bool = False
    result: Look | EngineError | None = None


class Reader(Protocol):
    """The OCR as this engine uses it, always from one thread."""

    version: str

    def scan(self, picture: Pixels, alive: Callable[[], bool] = ...) -> Scan:
        """Read a picture; stop between native calls when `alive` says no."""

    def line(self, crop: Pixels) -> str:
        """Read one line that was cut out."""


class LiteEngine:
    """OCR and rules. One thread does the reading; callers in other threads wait for it in turn."""

    name = "lite"
    prompt_version = "-"
    writes = False

    def __init__(self, ocr: Reader, formats: Mapping[str, str], timeout_s: float) -> None:
        self._ocr = ocr
        self._formats = MappingProxyType(dict(formats))
        self._timeout_s = timeout_s
        self.version = f"rapidocr-{ocr.version}+rules-{RULES_VERSION}"
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._hangs = False
        self._closed = False
        self._one_at_a_time = threading.Lock()
        layout_of(
            np.zeros((20, 60, 3), dtype=np.uint8)
        )  # the libraries' first use takes long; no picture's clock runs yet
        self._thread = threading.Thread(target=self._serve, name="lite-ocr", daemon=True)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """False while a reading that was given up still runs: it can't be interrupted, so replace the process."""
        return not self._hangs and not self._closed

    def look(
        self,
        pictures: Sequence[PictureInput],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Look | EngineError]:
        """One result a picture, in order. Each has `timeout_s` of its own and all of them `deadline_s`."""
        until = None if deadline_s is None else time.monotonic() + deadline_s
        results: list[Look | EngineError] = []
        for picture in pictures:
            results.append(self._one(picture, until))
            if progress is not None:
                progress()
        counted(self.name, "look", results)
        return results

    def write(
        self,
        asks: Sequence[Ask],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Words | EngineError]:
        """Rules write nothing: replies come from templates."""
        return [EngineError("the lite engine writes no words") for _ in asks]

    def close(self) -> None:
        """End the thread once it is free. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._calls.put(None)
            self._thread.join(timeout=0.0 if self._hangs else self._timeout_s)

    def _one(self, picture: PictureInput, until: float | None) -> Look | EngineError:
        if self._closed:
            return EngineError("the lite engine is closed")
        left = self._timeout_s if until is None else min(self._timeout_s, until - time.monotonic())
        if left <= 0 or not self._one_at_a_time.acquire(timeout=left):
            return EngineTimeout("no time was left for this picture")
        try:
            if self._hangs:
                return EngineTimeout("an earlier reading hangs; the process should be replaced")
            left = self._timeout_s if until is None else min(self._timeout_s, until - time.monotonic())
            return self._wait(_Call(picture), max(0.0, left))
        finally:
            self._one_at_a_time.release()

    def _wait(self, call: _Call, seconds: float) -> Look | EngineError:
        self._calls.put(call)
        if call.done.wait(seconds):
            return call.result or EngineError()
        call.given_up = self._hangs = True
        return EngineTimeout(f"the picture was not read within {seconds:.1f} s")

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call.result = self._look(call)
            except EngineError as failure:
                call.result = failure
            except BotError as failure:
                call.result = EngineError(str(failure)) if failure.retryable else LookUnusable(str(failure))
            except Exception as failure:  # whatever a native library raises concerns this picture only
                call.result = EngineError(f"the picture could not be read ({type(failure).__name__})")
            self._hangs = False
            call.done.set()

    def _look(self, call: _Call) -> Look:
        started = time.perf_counter()
        picture = _decode(call.picture.data)
        scan = self._ocr.scan(picture, lambda: not call.given_up)
        if call.given_up:
            raise EngineTimeout
        return look_of(call.picture.sha256, scan, self._ocr.line, self._formats, self.version, started)


def look_of(
    sha256: str,
    scan: Scan,
    read_line: Callable[[Pixels], str],
    formats: Mapping[str, str],
    version: str,
    started: float,
) -> Look:
    """The look of a picture that was scanned; `started` is a time.perf_counter()."""
    page, lines = scan.page, lines_of(scan.page)
    found = find(page, lines, formats)
    notes = _notes(scan)
    several = is_list(page, lines, found)
    foreign = any(note.startswith("language") for note in notes)
    layout = layout_of(scan.upright, page)
    kinds = kind_shares(layout, lines, order_weight(page, lines, found, several=several, foreign=foreign))
    fields: dict[str, ReadField] = {}
    items: tuple[Item, ...] = ()
    if kinds[Kind.ORDER] == max(kinds.values()):
        if several:
            notes.append("list")
        whole = tuple(note.partition(":")[0] for note in notes if note.startswith(("list", "language")))
        judged = judge(Evidence(scan.upright, page, read_line), lines, found, formats, whole)
        fields = {name: _turned_back(value, scan) for name, value in judged.items()}
    else:
        apart = kinds[Kind.COMPARISON] >= SEVERAL_THINGS
        items = tuple(_turned_back(item, scan) for item in items_of(layout, page, lines, several=apart))
    return Look(
        picture_sha256=sha256,
        kinds=kinds,
        fields=fields,
        items=items,
        lines=tuple(line.raw[:MAX_LINE] for line in lines[:MAX_LINES]),
        notes=tuple(notes),
        engine=LiteEngine.name,
        engine_version=version,
        prompt_version=LiteEngine.prompt_version,
        seconds=time.perf_counter() - started,
    )


def build(settings: EngineSettings) -> LiteEngine:
    """Open the engine: `threads` of one OCR call (0: two, more do not make it faster), `timeout_s` a picture.

    Raises ModuleNotFoundError when the packages are missing, EngineError when their data files are.
    """
    return LiteEngine(Ocr(settings.threads or min(THREADS, len(os.sched_getaffinity(0)))), FORMATS, settings.limit_s())


def _decode(data: bytes) -> Pixels:
    cv2 = import_module("cv2")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION  # the stored copy is upright already
    picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags) if data else None
    if picture is None:
        raise LookUnusable("the picture could not be decoded")
    return np.asarray(picture, dtype=np.uint8)


def _notes(scan: Scan) -> list[str]:
    notes = []
    if scan.turned:
        notes.append(f"turned:{scan.turned}")
    if scan.tiles > 1:
        notes.append(f"tiled:{scan.tiles}")
    if scan.unread >= UNREAD_MIN and scan.unread > UNREAD_SHARE * (scan.unread + len(scan.page.boxes)):
        notes.append("language:unknown")
    return notes


def _turned_back(value: Boxed, scan: Scan) -> Boxed:
    """The field or item with its box in pixels of the picture as it was given."""
    if value.box is None or not scan.turned:
        return value
    height, width = scan.upright.shape[:2]
    if scan.turned in (90, 270):
        width, height = height, width
    left, top, right, bottom = value.box
    ax, ay = unturned((left, top), scan.turned, width, height)
    bx, by = unturned((right, bottom), scan.turned, width, height)
    box = (round(min(ax, bx)), round(min(ay, by)), round(max(ax, bx)), round(max(ay, by)))
    return value.model_copy(update={"box": box})
