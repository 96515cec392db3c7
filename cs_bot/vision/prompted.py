"""An engine made of prompts and a generator: classify, then read, from one picture; answers from facts."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from cs_bot.errors import EngineError, LookUnusable
from cs_bot.records import Item, Kind, Look, ReadField
from cs_bot.vision.answers import (
    READS,
    ComparisonRead,
    Evidence,
    OrderRead,
    ProductRead,
    Reply,
    SceneRead,
    Strict,
    Unusable,
    items_of,
    order_fields,
    parse,
)
from cs_bot.vision.base import Ask, PictureInput, Words, counted
from cs_bot.vision.boxes import OrderBoxes, to_locate, with_boxes
from cs_bot.vision.generating import LABELS, Beats, Generation, Generator, Prompt, kind_shares, weakest
from cs_bot.vision.prompts import Prompts
from cs_bot.vision.replies import judged
from cs_bot.vision.together import Together

LABEL_TOKENS = 8
LAST_S = 1.0  # what is left of the time when boxes are given up: the fields are worth more
log = logging.getLogger("cs_bot.vision")
Shape = TypeVar("Shape", bound=Strict)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Limits:
    """Seconds a picture or an answer may take, tokens an answer may have, calls at once, turns worth taking at once.

    `boxes`: whether it is asked where an order page's fields stand. `share_time`: calls at once slow each other down,
    so that each of a list may take as long as all of them one after the other.
    """

    timeout_s: float = 30.0
    max_new_tokens: int = 512
    concurrency: int = 4
    turns: int = 1
    boxes: bool = False
    share_time: bool = False


class PromptedVision:
    """Follows vision.base.Vision on top of any Generator. Threads: at most `concurrency` calls at once."""

    writes = True

    def __init__(self, generator: Generator, *, name: str, version: str, prompts: Prompts, limits: Limits) -> None:
        self.name, self.version, self.prompt_version = name, version, prompts.version
        self._generator, self._prompts, self._limits = generator, prompts, limits
        self._together = Together(
            name,
            most=limits.concurrency,
            timeout_s=limits.timeout_s,
            share_time=limits.share_time,
            beats=self._beats,
        )

    @property
    def healthy(self) -> bool:
        """False once closed, or when the generator hangs."""
        return not self._together.closed and self._generator.healthy

    @property
    def turns(self) -> int:
        """How many turns are worth claiming together."""
        return self._limits.turns

    @property
    def available(self) -> bool:
        """False while it is known that a call would fail."""
        return not self._together.closed and self._generator.available

    def check(self) -> str:
        """One line on what would answer; raises EngineError or ConfigError when nothing would."""
        return self._generator.check()

    def look(
        self,
        pictures: Sequence[PictureInput],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Look | EngineError]:
        """One result a picture, in order; each has `timeout_s` of its own."""
        results = self._together.run([partial(self._look, picture) for picture in pictures], deadline_s, progress)
        counted(self.name, "look", results)
        return results

    def write(
        self,
        asks: Sequence[Ask],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Words | EngineError]:
        """One result an ask, in order; each has `timeout_s` of its own."""
        results = self._together.run([partial(self._write, ask) for ask in asks], deadline_s, progress)
        counted(self.name, "write", results)
        return results

    def close(self) -> None:
        """Later calls come back as EngineError. Safe to call twice."""
        if self._together.close():
            self._generator.close()

    def _beats(self) -> int:
        return self._generator.beats if isinstance(self._generator, Beats) else 0

    def _look(self, picture: PictureInput, until: float) -> Look:
        started = time.perf_counter()
        kinds, signals = self._classified(picture, until)
        seen = _Seen(signals=signals)
        kind = max(kinds, key=lambda k: kinds[k])
        if kind is Kind.ORDER:
            seen = self._order(picture, until, signals)
        elif kind in READS:
            seen = self._items(kind, picture, until, signals)
        return Look(
            picture_sha256=picture.sha256,
            kinds=kinds,
            fields=seen.fields,
            items=seen.items,
            notes=tuple(seen.notes),
            signals=seen.signals,
            engine=self.name,
            engine_version=self.version,
            prompt_version=self.prompt_version,
            seconds=time.perf_counter() - started,
        )

    def _classified(self, picture: PictureInput, until: float) -> tuple[dict[Kind, float], dict[str, float]]:
        prompt = self._prompts.classify(picture)
        for asked in (prompt, self._prompts.repaired(prompt, "it is none of the words")):
            generation = self._generator.generate(asked, max_tokens=LABEL_TOKENS, labels=LABELS, until=until)
            found = kind_shares(generation)
            if found is not None:
                return found
        raise LookUnusable("the engine named no kind of picture")

    def _order(self, picture: PictureInput, until: float, signals: dict[str, float]) -> "_Seen":
        first, shown = self._read(self._prompts.read(Kind.ORDER, picture), OrderRead, until)
        readings = [(first, shown)]
        try:
            readings.append(self._read(self._prompts.read_again(picture), OrderRead, until))
        except EngineError as failure:  # one reading is still worth showing: its fields are then to be confirmed
            log.info("no second reading", extra={"engine": self.name, "problem": type(failure).__name__})
        again = readings[1][0] if len(readings) > 1 else None
        evidence = Evidence(_weakest(readings), shown.shrunk)
        several = any(read.several_orders for read, _ in readings)
        return _Seen(
            fields=self._located(order_fields(first, again, evidence), picture, until),
            notes=[*(["list"] if several else []), *_shrunk(shown)],
            signals={**signals, **_likelihood("read_likelihood", shown), **_number(evidence)},
        )

    def _located(self, fields: dict[str, ReadField], picture: PictureInput, until: float) -> dict[str, ReadField]:
        """The fields with their boxes where those are wanted and found; without them as they are."""
        prompt = self._prompts.locate(picture, to_locate(fields)) if self._limits.boxes else None
        if prompt is None or not to_locate(fields):
            return fields
        try:
            boxes, _ = self._read(prompt, OrderBoxes, until - LAST_S)
            return with_boxes(fields, boxes, picture)
        except EngineError as failure:
            log.info("no boxes", extra={"engine": self.name, "problem": type(failure).__name__})
            return fields

    def _items(self, kind: Kind, picture: PictureInput, until: float, signals: dict[str, float]) -> "_Seen":
        read, shown = self._read(self._prompts.read(kind, picture), READS[kind], until)
        assert isinstance(read, ProductRead | ComparisonRead | SceneRead)
        signals = {**signals, **_likelihood("read_likelihood", shown)}
        return _Seen(items=items_of(read), notes=_shrunk(shown), signals=signals)

    def _write(self, ask: Ask, until: float) -> Words:
        ours = self._prompts.ours(ask)
        template, shown = self._asked(
            self._prompts.answer(ask), Reply, until, lambda said: judged(said.reply, ask.slots, ours)
        )
        return Words(
            template=template,
            signals=_likelihood("answer_likelihood", shown),
            engine=self.name,
            engine_version=self.version,
            prompt_version=self.prompt_version,
        )

    def _read(self, prompt: Prompt, shape: type[Shape], until: float) -> tuple[Shape, Generation]:
        return self._asked(prompt, shape, until, lambda read: read)

    def _asked(
        self, prompt: Prompt, shape: type[Shape], until: float, judge: Callable[[Shape], Answer]
    ) -> tuple[Answer, Generation]:
        """What `judge` makes of the answer to a prompt; asked once more when it can't be used."""
        asked = prompt
        for _ in range(2):
            generation = self._generator.generate(
                asked, schema=shape, max_tokens=self._limits.max_new_tokens, until=until
            )
            if generation.finish_reason == "length":
                raise LookUnusable("the engine's answer was cut off")
            try:
                return judge(parse(shape, generation.text)), generation
            except Unusable as problem:
                why = str(problem)
                asked = self._prompts.repaired(prompt, why)
        raise LookUnusable(f"the engine's answer can't be used: {why}")


@dataclass(frozen=True)
class _Seen:
    """What the reading of a picture adds to its look."""

    fields: dict[str, ReadField] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    notes: list[str] = field(default_factory=list)
    signals: dict[str, float] = field(default_factory=dict)


def _likelihood(name: str, generation: Generation) -> dict[str, float]:
    """A signal, or nothing where the server tells no likelihoods."""
    return {} if generation.likelihood is None else {name: generation.likelihood}


def _number(evidence: Evidence) -> dict[str, float]:
    return {f"{name}_likelihood": value for name, value in evidence.weakest.items() if name in ("order_id", "amount")}


def _shrunk(generation: Generation) -> list[str]:
    return [f"shrunk:{round(100 * generation.shrunk)}"] if generation.shrunk < 1.0 else []


def _weakest(readings: Sequence[tuple[OrderRead, Generation]]) -> dict[str, float]:
    """The least token likelihood of each field over the readings that tell one."""
    found: dict[str, float] = {}
    for read, generation in readings:
        for name in ("order_id", "amount", "currency", "order_time"):
            value = weakest(generation, str(getattr(read, name)))
            if value is not None:
                found[name] = min(found.get(name, 1.0), value)
    return found
