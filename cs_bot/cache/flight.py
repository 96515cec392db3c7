"""Single flight: many ask for the same thing, in many processes; one computes, the others wait and read.

Redis decides only who computes. Without it, or when it does not answer in time, everybody computes.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Generic, NamedTuple, Protocol, TypeVar

from redis.exceptions import RedisError

from cs_bot.cache.shelf import Shelf
from cs_bot.cache.tally import Tally
from cs_bot.errors import BotError

POLL_S = 0.03
T = TypeVar("T")
Progress = Callable[[], None]
Compute = Callable[[Sequence[int], Progress], Sequence[T | BotError]]
log = logging.getLogger("cs_bot.cache")


class Opened(NamedTuple, Generic[T]):
    """What was found for one case: its value and the seconds it saves; else the key to compute under (None: nobody
    may wait for it). `bad` are keys whose values are damaged or not of that key."""

    value: T | None
    seconds: float
    claim: str | None
    bad: tuple[str, ...] = ()


class Case(Protocol[T]):
    """One thing asked for."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Where it may be kept."""

    def open(self, values: dict[str, bytes]) -> Opened[T]:
        """Make something of what is there."""

    def close(self, result: T, seconds: float) -> dict[str, bytes] | str:
        """What to keep of a result that took so many seconds, by key; or why it is not kept."""


@dataclass(frozen=True)
class Rules:
    """`ttl_s`: how long a value is kept; `wait_s`: how long one waits for somebody else's computation."""

    ttl_s: float
    wait_s: float


class Flight(Generic[T]):
    """One call of a cache, over a list of cases. `found` are those that came from the cache."""

    def __init__(
        self,
        shelf: Shelf,
        rules: Rules,
        tally: Tally,
        cases: Sequence[Case[T]],
        compute: Compute[T],
        progress: Progress,
    ) -> None:
        self._shelf, self._rules, self._tally, self._cases = shelf, rules, tally, cases
        self._compute, self._progress = compute, progress
        self._results: dict[int, T | BotError] = {}
        self._claims: dict[int, str | None] = {}
        self._token = token_hex(8)
        self._held: list[str] = []
        self._renewed_at = 0.0
        self.found: list[int] = []

    def run(self) -> list[T | BotError]:
        """One result a case, in order. Raises what `compute` or `progress` raise, never an error of Redis."""
        away = False
        try:
            self._together()
        except RedisError as problem:
            away = True
            log.warning("the cache is away", extra={"error": type(problem).__name__})
        if left := self._left():
            self._tally.bypassed("redis" if away else "waited_in_vain", len(left))
            self._work(left, keep=not away)
        if not away:
            with suppress(RedisError):
                self._tally.write(self._shelf.redis)
        return [self._results[n] for n in range(len(self._cases))]

    def _left(self) -> list[int]:
        return [n for n in range(len(self._cases)) if n not in self._results]

    def _together(self) -> None:
        """Read, compute what nobody else computes, wait for the rest; leaves what took too long."""
        self._read(self._left(), "hit")
        end = time.monotonic() + self._rules.wait_s
        while left := self._left():
            if not self._compute_mine(left):
                if time.monotonic() >= end:
                    self._progress()
                    return
                time.sleep(POLL_S)
            self._read(self._left(), "waited")

    def _read(self, cases: Sequence[int], result: str) -> None:
        keys = [key for n in cases for key in self._cases[n].keys]
        values = self._shelf.read(keys) if keys else {}
        for n in cases:
            opened = self._cases[n].open(values)
            self._claims[n] = opened.claim
            if opened.bad:
                self._tally.dropped(len(opened.bad))
                self._shelf.drop(opened.bad)
            if opened.value is not None:
                self._results[n] = opened.value
                self.found.append(n)
                self._tally.asked(result)
                self._tally.saved(opened.seconds)

    def _compute_mine(self, cases: Sequence[int]) -> bool:
        """Compute those whose token we get, and those that nobody can wait for; whether there was one."""
        alone = [n for n in cases if self._claims[n] is None]
        shared = {n: key for n in cases if (key := self._claims[n]) is not None}
        taken = self._shelf.claim(list(shared.values()), self._token) if shared else []
        mine = [n for n, ours in zip(shared, taken, strict=True) if ours]
        self._held, self._renewed_at = [shared[n] for n in mine], time.monotonic()
        try:
            self._read(mine, "waited")  # its last owner may have been done between our look and our claim
            moved = [n for n in mine if n not in self._results and self._claims[n] != shared[n]]
            mine = [n for n in mine if n not in self._results and n not in moved]
            self._tally.asked("miss", len(mine))
            if alone:
                self._tally.bypassed("unowned", len(alone))
            if work := sorted([*mine, *alone]):
                self._work(work, keep=True)
            return bool(work or taken.count(True))
        finally:
            held, self._held = self._held, []
            with suppress(RedisError):
                self._shelf.give_back(held, self._token)

    def _work(self, cases: Sequence[int], *, keep: bool) -> None:
        begun = time.perf_counter()
        results = self._compute(cases, self._told)
        seconds = (time.perf_counter() - begun) / len(cases)
        self._results.update(zip(cases, results, strict=True))
        values: dict[str, bytes] = {}
        for n in cases:
            result = self._results[n]
            kept = "failed" if isinstance(result, BotError) else self._cases[n].close(result, seconds)
            if isinstance(kept, str):
                self._tally.unstored(kept)
            else:
                values |= kept
        if keep and values:
            with suppress(RedisError):
                self._shelf.write(values, self._rules.ttl_s)

    def _told(self) -> None:
        """The engine has got somewhere: our tokens stay ours."""
        if self._held and time.monotonic() - self._renewed_at >= self._rules.wait_s / 3:
            self._renewed_at = time.monotonic()
            with suppress(RedisError):
                self._shelf.renew(self._held, self._token)
        self._progress()
