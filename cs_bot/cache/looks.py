"""The cache of looks: shared by everybody who posts the picture, but for what is personal on it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError

from cs_bot.cache.flight import Flight, Opened, Progress, Rules
from cs_bot.cache.keys import LOOK, Engine, owner, picture_name, stamp
from cs_bot.cache.private import is_personal
from cs_bot.cache.shelf import Shelf
from cs_bot.cache.tally import Tally
from cs_bot.errors import BotError
from cs_bot.records import Customer, Kind, Look, Record

SAMPLES_AT_MOST = 100
ComputeLooks = Callable[[Sequence[str], Progress], Sequence[Look | BotError]]


class PictureAsked(NamedTuple):
    """One picture of one customer. Without `pixels_sha256` only the same bytes are the same picture; without
    `customer` nothing personal on it is kept or found."""

    sha256: str
    pixels_sha256: str | None
    customer: Customer | None


class Sample(NamedTuple):
    """A hit that shall be computed again: the look as it was kept, under which keys, and whose it is if personal."""

    picture_sha256: str
    keys: tuple[str, ...]
    look: Look
    customer_id: int | None


class _Kept(Record):
    """The value of a key: the look, or for a shared key whose look is personal only its kinds."""

    key: str
    kinds: dict[Kind, float]
    look: Look | None


@dataclass(frozen=True)
class LookCase:
    """One picture of one customer in a flight (flight.Case)."""

    asked: PictureAsked
    engine: tuple[str, str, str]
    shared: str
    own: str | None

    @staticmethod
    def of(asked: PictureAsked, engine: Engine) -> "LookCase":
        """Its keys: the shared one, and the customer's own."""
        shared = f"{LOOK}:{stamp(engine)}:{picture_name(asked.sha256, asked.pixels_sha256)}"
        own = None if asked.customer is None else f"{shared}:{owner(asked.customer)}"
        return LookCase(asked, (engine.name, engine.version, engine.prompt_version), shared, own)

    @property
    def keys(self) -> tuple[str, ...]:
        """The shared key and the customer's own."""
        return (self.shared,) if self.own is None else (self.shared, self.own)

    def open(self, values: dict[str, bytes]) -> Opened[Look]:
        """The shared look; the customer's own; or the key to compute under: our own once it is known to be personal."""
        bad: list[str] = []
        kept = {key: self._kept(key, values[key], bad) for key in self.keys if key in values}
        shared, own = kept.get(self.shared), kept.get(self.own or "")
        for one in (shared, own):
            if one is not None and one.look is not None:
                mine = one.look.model_copy(update={"picture_sha256": self.asked.sha256})
                return Opened(mine, one.look.seconds, None, tuple(bad))
        return Opened(None, 0.0, self.shared if shared is None else self.own, tuple(bad))

    def close(self, result: Look, seconds: float) -> dict[str, bytes] | str:
        """To everybody the look; of a personal one only its kinds, the whole to the customer alone."""
        if (result.engine, result.engine_version, result.prompt_version) != self.engine:
            return "other_engine"  # a fallback answered: not what this key stands for
        whole = {self.shared: result}
        if is_personal(result):
            marker = _Kept(key=self.shared, kinds=result.kinds, look=None)
            whole = {} if self.own is None else {self.own: result}
            return {self.shared: _bytes(marker), **{key: _bytes(_whole(key, look)) for key, look in whole.items()}}
        return {key: _bytes(_whole(key, look)) for key, look in whole.items()}

    def _kept(self, key: str, value: bytes, bad: list[str]) -> _Kept | None:
        """The value if it belongs under this key; else the key is bad."""
        try:
            kept = _Kept.model_validate_json(value)
        except ValidationError:
            bad.append(key)
            return None
        if kept.key != key or not self._fits(key, kept.look):
            bad.append(key)
            return None
        return kept

    def _fits(self, key: str, look: Look | None) -> bool:
        """Of this engine, and where it may be: nothing personal under a shared key, no bare kinds under one's own."""
        if look is None:
            return key == self.shared
        if (look.engine, look.engine_version, look.prompt_version) != self.engine:
            return False
        return is_personal(look) == (key != self.shared)


def _whole(key: str, look: Look) -> _Kept:
    return _Kept(key=key, kinds=look.kinds, look=look)


def _bytes(kept: _Kept) -> bytes:
    return kept.model_dump_json().encode()


class LookCache:
    """Looks by picture, engine, versions and, where personal, customer.

    `recheck_share` of the hits are put aside (take_samples) to be computed again later; `chance` gives numbers in
    [0, 1) and is replaced in tests.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        ttl_s: float,
        wait_s: float,
        recheck_share: float = 0.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._shelf = Shelf(redis, hold_s=wait_s)
        self._rules = Rules(ttl_s, wait_s)
        self._recheck_share, self._chance = recheck_share, chance
        self._samples: list[Sample] = []

    def looks(
        self,
        pictures: Sequence[PictureAsked],
        *,
        engine: Engine,
        compute: ComputeLooks,
        progress: Progress | None = None,
    ) -> list[Look | BotError]:
        """One result a picture, in order: kept, waited for, or computed here.

        `compute` gets SHA-256s without repeats and a progress() to call after each; one result each, in order.
        Its errors are results and are never kept. Redis away or slow only means that everything is computed.
        """
        cases = [LookCase.of(asked, engine) for asked in pictures]

        def compute_once(numbers: Sequence[int], told: Progress) -> list[Look | BotError]:
            names = list(dict.fromkeys(pictures[n].sha256 for n in numbers))
            results = dict(zip(names, compute(names, told), strict=True))
            return [results[pictures[n].sha256] for n in numbers]

        flight: Flight[Look] = Flight(
            self._shelf, self._rules, Tally("look"), cases, compute_once, progress or (lambda: None)
        )
        results = flight.run()
        for n in flight.found:
            self._sample(cases[n], results[n])
        return results

    def take_samples(self) -> list[Sample]:
        """The hits put aside since the last call."""
        taken, self._samples = self._samples, []
        return taken

    def close(self) -> None:
        """Close the connections to Redis."""
        self._shelf.redis.close()

    def drop(self, keys: Sequence[str]) -> bool:
        """Delete the keys of a sample that came out differently; False when Redis did not answer."""
        try:
            self._shelf.drop(keys)
        except RedisError:
            return False
        return True

    def _sample(self, case: LookCase, look: Look | BotError) -> None:
        full = len(self._samples) >= SAMPLES_AT_MOST
        if full or not isinstance(look, Look) or self._chance() >= self._recheck_share:
            return
        customer = case.asked.customer if is_personal(look) else None
        keys = (case.shared,) if customer is None else case.keys
        self._samples.append(Sample(case.asked.sha256, keys, look, None if customer is None else customer.customer_id))


def differences(kept: Look, again: Look) -> tuple[str, ...]:
    """In what two looks differ: kind, fields (value and state), items (where and attributes). Seconds don't count."""

    def fields(look: Look) -> dict[str, tuple[str | None, str]]:
        return {name: (field.value, field.state) for name, field in look.fields.items()}

    def items(look: Look) -> list[tuple[str, dict[str, str]]]:
        return [(item.where, item.attributes) for item in look.items]

    parts = {"kind": kept.kind is again.kind, "fields": fields(kept) == fields(again)}
    parts["items"] = items(kept) == items(again)
    return tuple(name for name, same in parts.items() if not same)
