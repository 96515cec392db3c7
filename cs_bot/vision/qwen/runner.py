"""One thread that runs the network: what is asked together runs together, and what finishes leaves."""

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import torch

from cs_bot.errors import BotError, EngineError, EngineFull, EngineTimeout
from cs_bot.vision.chat import ChatPiece
from cs_bot.vision.qwen.decoding import Named, advance, named
from cs_bot.vision.qwen.memory import free_memory, is_out_of_memory
from cs_bot.vision.qwen.prefix import Batch
from cs_bot.vision.qwen.prefixes import Prefixes
from cs_bot.vision.qwen.row import LATE, Row
from cs_bot.vision.qwen.vocabulary import Vocabulary

LINGER_S = 0.003  # questions that are asked together come a moment apart
PREPARING_S = 0.03  # longest wait for those that are known to be on their way
HANGS_S = 60.0  # without a single layer computed: nothing can end such a call but the end of the process
RECOVERS_S = 60.0  # so long after memory ran out as many rows run together as before
CLOSE_S = 5.0

log = logging.getLogger("cs_bot.vision")


class Runner:
    """Runs at most `rows` rows at once. Calls may come from several threads.

    `whole` says that every layer of the network is full attention; rows of any other run one after the other.
    """

    def __init__(
        self, network: Any, vocabulary: Vocabulary, *, image_token: int, rows: int, whole: bool, kept_bytes: int
    ) -> None:
        self._network, self._vocabulary = network, vocabulary
        self.rows = rows if whole else 1
        self._limit, self._whole = self.rows, whole
        self._prefixes = Prefixes(network, image_token=image_token, whole=whole, most_bytes=kept_bytes, beat=self._beat)
        self._running: list[tuple[Batch, list[Row]]] = []
        self._waiting: deque[Row] = deque()
        self._preparing = 0
        self._changed = threading.Condition()
        self._closed = self._broken = False
        self._idle, self.beats, self._beat_at = True, 0, time.monotonic()
        self._full_at = -math.inf
        self._hooks = [layer.register_forward_hook(self._beat) for layer in _layers(network)]
        self._thread = threading.Thread(target=self._run, name="qwen", daemon=True)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """False when a call hangs or the device is lost: only another process helps."""
        return (
            self._thread.is_alive() and not self._broken and (self._idle or time.monotonic() - self._beat_at < HANGS_S)
        )

    def holds(self, key: str) -> bool:
        """Whether that prefix is kept at the moment."""
        return key in self._prefixes

    @contextlib.contextmanager
    def preparing(self) -> Iterator[None]:
        """While a caller makes its prompt: a batch waits a moment for it."""
        with self._changed:
            self._preparing += 1
        try:
            yield
        finally:
            with self._changed:
                self._preparing -= 1
                self._changed.notify_all()

    def ask(self, row: Row) -> Row:
        """Queue a row. Raises EngineError once closed."""
        with self._changed:
            if self._closed:
                raise EngineError("the engine is closed")
            self._waiting.append(row)
            self._changed.notify_all()
        return row

    def close(self) -> None:
        """End the thread after the token it computes, and give the memory back. Safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=CLOSE_S)

    def _beat(self, *_: Any) -> None:
        self.beats += 1
        self._beat_at = time.monotonic()

    def _run(self) -> None:
        with torch.inference_mode():
            while not self._closed:
                self._turn(self._taken())
        failure = EngineError("the engine is closed")
        for row in [*self._waiting, *(row for _, rows in self._running for row in rows)]:
            row.tell(failure)
        self._running = []
        for hook in self._hooks:
            hook.remove()
        self._prefixes.close()
        self._network = None
        free_memory()

    def _taken(self) -> list[Row]:
        """The rows to begin with now; waits when nothing runs."""
        with self._changed:
            if not self._running:
                self._limit, self._idle = self.rows, True
                self._changed.wait_for(lambda: self._waiting or self._closed)
                self._idle = False
                self._beat()
                self._linger()
            elif time.monotonic() - self._full_at > RECOVERS_S:
                self._limit = self.rows
            room = max(0, self._limit - self._alive())
            taken = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        return [row for row in taken if not self._over(row)]

    def _linger(self) -> None:
        """Wait a moment for those who ask at the same time."""
        end = time.monotonic() + PREPARING_S
        self._changed.wait_for(lambda: len(self._waiting) >= self._limit or self._closed, timeout=LINGER_S)
        self._changed.wait_for(
            lambda: not self._preparing or len(self._waiting) >= self._limit or self._closed,
            timeout=max(0.0, end - time.monotonic()),
        )

    def _over(self, row: Row) -> bool:
        """Whether a row needs no more work: nobody waits, or its time is up."""
        if not row.left and time.monotonic() >= row.until:
            row.tell(EngineTimeout(LATE))
            row.left = True
        return row.left

    def _turn(self, new: list[Row]) -> None:
        """Begin the new rows, then one token for each row that runs."""
        if new:
            with self._told(new):
                self._in_parts(new, self._begin)
        self._merge()
        for _ in range(len(self._running)):
            batch, rows = self._running.pop(0)
            with self._told(rows):
                self._step(batch, rows)

    @contextlib.contextmanager
    def _told(self, rows: list[Row]) -> Iterator[None]:
        """Whatever goes wrong is told: nobody may wait for ever, and this thread goes on."""
        try:
            yield
        except Exception as problem:
            failure = self._understood(problem)
            for row in rows:
                row.tell(failure)

    def _begin(self, rows: list[Row]) -> None:
        """Prefixes, then what is asked about them: the first token of each row."""
        for row, start in zip(rows, self._prefixes.of([row.prompt for row in rows]), strict=True):
            row.start, row.pending = start, row.prompt.ids[row.prompt.cut :]
        for together in [rows] if self._whole else [[row] for row in rows]:
            self._resume(together)

    def _resume(self, rows: list[Row]) -> None:
        """Put rows side by side and go on with them."""
        batch = Batch(self._network, [row.start for row in rows if row.start is not None])
        self._go_on(batch, rows, self._answered(rows, batch.forward([row.pending for row in rows])))

    def _step(self, batch: Batch, rows: list[Row]) -> None:
        """The next token of rows that run, without those that are done or that nobody waits for any more."""
        kept = [at for at, row in enumerate(rows) if not self._over(row)]
        rows = [rows[at] for at in kept]
        if not rows:
            return
        begun = False
        try:
            batch.keep(kept)
            begun, kept = True, list(range(len(rows)))
            results = self._answered(rows, batch.forward([row.pending for row in rows]))
        except Exception as problem:  # whatever a kernel raises
            failure = self._understood(problem)
            if begun and not batch.undo():
                for row in rows:
                    row.tell(failure)
                return
            starts = batch.rows()
            for row, at in zip(rows, kept, strict=True):
                row.start = starts[at]
            del batch, starts  # their memory is needed
            self._in_parts(rows, self._resume)
            return
        self._go_on(batch, rows, results)

    def _answered(self, rows: list[Row], logits: Any) -> list[ChatPiece | Named | BotError]:
        """What each row makes of its logits."""
        self._beat()
        writing = {at: row.answer for at, row in enumerate(rows) if row.answer is not None}
        chosen = dict(
            zip(writing, advance(logits[list(writing)], list(writing.values())) if writing else [], strict=True)
        )
        return [
            chosen[at] if at in chosen else named(logits[at], row.label_ids, self._vocabulary)
            for at, row in enumerate(rows)
        ]

    def _go_on(self, batch: Batch, rows: list[Row], results: list[ChatPiece | Named | BotError]) -> None:
        """Tell. Those that are done leave with the next step: nothing may fail once answers have moved."""
        for row, result in zip(rows, results, strict=True):
            row.start = None
            row.left = row.tell(result) or row.left
            if row.answer is not None:
                row.pending = row.answer.ids[-1:]
        if not all(row.left for row in rows):
            self._running.append((batch, rows))

    def _merge(self) -> None:
        """One batch of all that run, as far as memory allows it."""
        if len(self._running) < 2 or self._alive() > self._limit:
            return
        rows, starts = [], []
        for batch, these in self._running:
            for row, start in zip(these, batch.rows(), strict=True):
                if not row.left:
                    rows.append(row)
                    starts.append(start)
        try:
            together = Batch(self._network, starts)
        except Exception as problem:  # they can go on apart
            self._understood(problem)
            self._limit = max(1, len(rows) - 1)
            return
        self._running = [(together, rows)]

    def _alive(self) -> int:
        """How many rows go on."""
        return sum(not row.left for _, rows in self._running for row in rows)

    def _in_parts(self, rows: list[Row], work: Callable[[list[Row]], None]) -> None:
        """Do `work`; what fails is done again in halves and at last alone, so that only the guilty row fails."""
        try:
            work(rows)
            return
        except Exception as problem:  # whatever a kernel raises
            failure = self._understood(problem)
        if len(rows) > 1:
            half = (len(rows) + 1) // 2
            if isinstance(failure, EngineFull):
                self._limit = min(self._limit, half)
            self._in_parts(rows[:half], work)
            self._in_parts(rows[half:], work)
            return
        try:
            smaller = isinstance(failure, EngineFull) and rows[0].again()
        except Exception as problem:  # there may be no memory for that either
            smaller, failure = False, self._understood(problem)
        if smaller:
            self._in_parts(rows, self._begin)
        else:
            rows[0].tell(failure)

    def _understood(self, problem: Exception) -> BotError:
        """What a failure means; memory is made free when that was it."""
        if isinstance(problem, BotError):
            return problem
        if is_out_of_memory(problem):
            log.warning("out of memory: kept prefixes go, and less runs at once")
            self._full_at = time.monotonic()
            self._prefixes.clear()
            free_memory(problem)
            return EngineFull()
        self._broken = self._broken or "CUDA error" in str(problem)
        log.error("the network failed", exc_info=problem)
        return EngineError(f"the network failed ({type(problem).__name__})")


def _layers(network: Any) -> Iterator[Any]:
    """The layers of every tower: the smallest pieces whose end shows that something moves."""
    for module in network.modules():
        if isinstance(module, torch.nn.ModuleList):
            yield from module
