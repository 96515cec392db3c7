"""How many chats are computed at once, how many wait, and who is sent away: nothing piles up in memory."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cs_bot import observe
from cs_bot.errors import TooManyRequests

DOOR = 16  # requests whose bodies and pictures are being read at once, each up to three times its size in memory
FIRST_GUESS_S = 5.0  # how long a chat takes, before one has been seen


class Admission:
    """Places for `most` chats and `queue` waiting ones. Used from one event loop."""

    def __init__(self, most: int, queue: int, wait_s: float) -> None:
        self._free = asyncio.Semaphore(most)
        self._most, self._queue, self._wait_s = most, queue, wait_s
        self._inside = self._running = self._waiting = 0
        self._mean_s = FIRST_GUESS_S

    @contextmanager
    def door(self) -> Iterator[None]:
        """While a request is read; raises TooManyRequests when too many are."""
        if self._inside >= DOOR:
            raise self._busy()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

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
