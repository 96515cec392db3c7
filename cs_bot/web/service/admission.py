"""How many chats are computed at once, how many wait, and who is sent away: nothing piles up in memory."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cs_bot import observe
from cs_bot.errors import TooManyRequests

DOOR = 16  # requests whose bodies and pictures are being read at once; their pictures are kept as they came
SHARE = 4  # of them each key has at least
FIRST_GUESS_S = 5.0  # how long a chat takes, before one has been seen


class Admission:
    """Places for `most` chats and `queue` waiting ones, and a door that `clients` share. Used from one event loop."""

    def __init__(self, most: int, queue: int, wait_s: float, *, clients: int = 1) -> None:
        self._share = max(SHARE, DOOR // max(1, clients))
        self._reading: Counter[str] = Counter()
        self._free = asyncio.Semaphore(most)
        self._most, self._queue, self._wait_s = most, queue, wait_s
        self._running = self._waiting = 0
        self._mean_s = FIRST_GUESS_S

    @contextmanager
    def door(self, client: str) -> Iterator[None]:
        """While a client's request is read; raises TooManyRequests when too many are, or too many of that client."""
        if self._reading.total() >= DOOR or self._reading[client] >= self._share:
            raise self._busy()
        self._reading[client] += 1
        try:
            yield
        finally:
            self._reading[client] -= 1
            self._reading += Counter()  # without those at 0

    async def enter(self) -> "Place":
        """A place, in the order of asking. Raises TooManyRequests when the queue is full or the wait too long."""
        if self._running + self._waiting >= self._most + self._queue:
            raise self._busy()
        self._waiting += 1
        self._show()
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise self._busy() from None
        finally:
            self._waiting -= 1
            self._show()
        self._running += 1
        self._show()
        return Place(self)

    def left(self, seconds: float) -> None:
        """A place is free again after `seconds`."""
        self._running -= 1
        self._mean_s += (seconds - self._mean_s) / 8
        self._free.release()
        self._show()

    def _busy(self) -> TooManyRequests:
        wait_s = self._mean_s * (1 + self._waiting) / self._most
        return TooManyRequests(min(60.0, wait_s), "All places are taken; try again in a while.")

    def _show(self) -> None:
        observe.SERVE_CHATS.labels("running").set(self._running)
        observe.SERVE_CHATS.labels("waiting").set(self._waiting)


class Place:
    """One chat's place; given back once."""

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission
        self._since = time.monotonic()

    def leave(self) -> None:
        """Give it back; safe to call twice."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.left(time.monotonic() - self._since)
