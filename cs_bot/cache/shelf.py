"""Values and tokens in Redis, each with a lifetime. Every call may raise RedisError, within the client's time limit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import WatchError

from cs_bot.cache.keys import BUSY


class Shelf:
    """`redis` has short time limits and no retries; `hold_s` is how long a token lasts unless renewed."""

    def __init__(self, redis: Redis, *, hold_s: float) -> None:
        self.redis = redis
        self._hold_ms = max(1, round(hold_s * 1000))

    def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """What is there of these keys."""
        values: Any = self.redis.mget(keys)
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    def write(self, values: Mapping[str, bytes], ttl_s: float) -> None:
        """Keep values for so many seconds."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key, value in values.items():
                pipe.set(key, value, px=max(1, round(ttl_s * 1000)))
            pipe.execute()

    def drop(self, keys: Sequence[str]) -> None:
        """Delete values."""
        self.redis.delete(*keys)

    def claim(self, keys: Sequence[str], token: str) -> list[bool]:
        """Which of these keys are now ours to compute (SET NX with a lifetime)."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.set(f"{BUSY}:{key}", token, nx=True, px=self._hold_ms)
            return [bool(taken) for taken in pipe.execute()]

    def renew(self, keys: Sequence[str], token: str) -> None:
        """The computation goes on: what is still ours stays so."""
        self._each_of_mine(keys, token, lambda pipe, name: pipe.pexpire(name, self._hold_ms))

    def give_back(self, keys: Sequence[str], token: str) -> None:
        """Done: whoever waits may go on. A token that has passed to somebody else stays theirs."""
        self._each_of_mine(keys, token, lambda pipe, name: pipe.delete(name))

    def _each_of_mine(self, keys: Sequence[str], token: str, do: Callable[[Any, str], object]) -> None:
        for key in keys:
            name = f"{BUSY}:{key}"
            pipe: Any
            with self.redis.pipeline() as pipe:
                try:
                    pipe.watch(name)
                    if pipe.get(name) == token.encode():
                        pipe.multi()
                        do(pipe, name)
                        pipe.execute()
                except WatchError:  # it ran out at this very moment, and is somebody else's now
                    continue
