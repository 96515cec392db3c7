"""The jobs of one list in threads: each with its own time, progress told while they move, nothing raised by one."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from cs_bot.errors import BotError, EngineError, EngineTimeout, LookUnusable

BEAT_S = 5.0  # how often it is looked whether something moves: well within a third of a turn's lease
Result = TypeVar("Result")


class Together:
    """At most `most` jobs at once, each for `timeout_s`; with `share_time` those of one list have the time of all.

    `beats` gives a number that grows while something is computed.
    """

    def __init__(self, name: str, *, most: int, timeout_s: float, share_time: bool, beats: Callable[[], int]) -> None:
        self._most, self._timeout_s, self._share_time, self._beats = most, timeout_s, share_time, beats
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=f"vision-{name}")
        self._closing = threading.Lock()
        self.closed = False

    def run(
        self,
        jobs: Sequence[Callable[[float], Result]],
        deadline_s: float | None,
        progress: Callable[[], None] | None,
    ) -> list[Result | EngineError]:
        """Run all jobs, each with the moment (time.monotonic) when it must end.

        `progress` is told here, in the caller's thread, as each one ends and while something moves.
        """
        if deadline_s is not None and deadline_s <= 0:
            return [EngineTimeout("no time was left") for _ in jobs]
        until = math.inf if deadline_s is None else time.monotonic() + deadline_s
        time_s = self._timeout_s * (min(len(jobs), self._most) if self._share_time else 1)
        with self._closing:
            if self.closed:
                return [EngineError("the engine is closed") for _ in jobs]
            futures = [self._pool.submit(_safely, job, until, time_s) for job in jobs]
        waiting: set[Future[Result | EngineError]] = set(futures)
        beats = self._beats()
        try:
            while waiting and (left := until - time.monotonic()) > 0:
                done, waiting = wait(waiting, timeout=min(BEAT_S, left), return_when=FIRST_COMPLETED)
                moved, beats = beats != self._beats(), self._beats()
                for _ in range(len(done) or moved) if progress is not None else ():
                    progress()  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()
        return [_result(future) for future in futures]

    def close(self) -> bool:
        """Begin nothing more; False when it was closed before."""
        with self._closing:
            if self.closed:
                return False
            self.closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        return True


def _safely(job: Callable[[float], Result], until: float, time_s: float) -> Result | EngineError:
    try:
        return job(min(until, time.monotonic() + time_s))
    except EngineError as failure:
        return failure
    except BotError as failure:
        return EngineError(str(failure)) if failure.retryable else LookUnusable(str(failure))
    except Exception as failure:  # whatever it is concerns this job only
        return EngineError(f"the engine failed ({type(failure).__name__})")


def _result(future: Future[Result | EngineError]) -> Result | EngineError:
    return (
        future.result() if future.done() and not future.cancelled() else EngineTimeout("there was no time for this one")
    )
