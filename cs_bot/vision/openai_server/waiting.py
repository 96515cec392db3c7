"""When to ask a server again: Retry-After, growing waits, and a breaker that stops asking for a while."""

import random
import re
import threading
import time
from collections.abc import Callable

LONGEST_RETRY_AFTER_S = 3600.0
TRIES = 3
FIRST_WAIT_S = 0.25
FAILURES, PAUSE_S = 5, 30.0


def retry_after(value: str) -> float | None:
    """Seconds to wait as a Retry-After header says them; None for nothing and for a date, which servers don't send."""
    value = value.strip()
    return min(float(value), LONGEST_RETRY_AFTER_S) if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", value) else None


def wait_s(tries: int, asked: float | None) -> float:
    """How long to wait after so many failed tries: what the server asked for, else doubling with half jitter."""
    if asked is not None:
        return asked
    longest = FIRST_WAIT_S * 2.0 ** (tries - 1)
    return random.uniform(longest / 2, longest)


class Breaker:
    """Opens after `failures` in a row; after `pause_s` one call may try. Safe to use from several threads."""

    def __init__(
        self, failures: int = FAILURES, pause_s: float = PAUSE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._pause_s, self._clock = failures, pause_s, clock
        self._failures = 0
        self._closed_again_at = 0.0
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether a call now would be refused."""
        with self._lock:
            return self._failures >= self._most and self._clock() < self._closed_again_at

    def enter(self) -> bool:
        """Whether a call may be made; when the pause is over only the first one, as a trial."""
        with self._lock:
            if self._failures < self._most:
                return True
            if self._clock() < self._closed_again_at:
                return False
            self._closed_again_at = self._clock() + self._pause_s  # the others wait for the trial's outcome
            return True

    def succeeded(self) -> None:
        """The server works."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """It does not."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._most:
                self._closed_again_at = self._clock() + self._pause_s
