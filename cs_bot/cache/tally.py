"""How often the caches helped: counters of this process, and a sum over all processes in Redis."""

from collections import Counter
from collections.abc import Mapping

from prometheus_client import Counter as Metric
from redis import Redis

from cs_bot.cache.keys import PREFIX
from cs_bot.observe import REGISTRY

COUNTS = f"{PREFIX}:counts"
COUNTS_TTL_S = 30 * 86_400  # since the last use
REQUESTS = Metric(
    "csbot_cache_requests_total", "What this process asked a cache for", ("cache", "result"), registry=REGISTRY
)
BYPASSES = Metric(
    "csbot_cache_bypasses_total", "Computed here without the cache's help, and why", ("cache", "why"), registry=REGISTRY
)
UNSTORED = Metric(
    "csbot_cache_unstored_total", "Computed here and not kept, and why", ("cache", "why"), registry=REGISTRY
)
DROPPED = Metric(
    "csbot_cache_dropped_total",
    "Kept values that were damaged or not of their key: deleted",
    ("cache",),
    registry=REGISTRY,
)
SAVED = Metric(
    "csbot_cache_saved_seconds_total",
    "Seconds that computing the kept values had taken, at each use",
    ("cache",),
    registry=REGISTRY,
)
RESULTS = ("hit", "waited", "miss", "bypass")
CACHES = ("look", "draft")
for _cache in CACHES:  # every label from the start, so that a rule on one that never happened has a value
    for _result in RESULTS:
        REQUESTS.labels(_cache, _result)
    for _why in ("redis", "unowned", "waited_in_vain"):
        BYPASSES.labels(_cache, _why)
    for _why in ("failed", "other_engine", "unfit"):
        UNSTORED.labels(_cache, _why)
    DROPPED.labels(_cache)
    SAVED.labels(_cache)


class Tally:
    """Counts one call of one cache, here and (with write) in Redis."""

    def __init__(self, cache: str) -> None:
        self._cache = cache
        self._found: Counter[str] = Counter()
        self._saved_s = 0.0

    def asked(self, result: str, count: int = 1) -> None:
        """hit, waited (another one's computation) or miss."""
        REQUESTS.labels(self._cache, result).inc(count)
        self._found[result] += count

    def bypassed(self, why: str, count: int = 1) -> None:
        """Computed without a token: redis, unowned, waited_in_vain."""
        self.asked("bypass", count)
        BYPASSES.labels(self._cache, why).inc(count)
        self._found[f"bypass.{why}"] += count

    def unstored(self, why: str) -> None:
        """Computed, but not kept: failed, other_engine, unfit."""
        UNSTORED.labels(self._cache, why).inc()
        self._found[f"unstored.{why}"] += 1

    def dropped(self, count: int) -> None:
        """Damaged or foreign values."""
        DROPPED.labels(self._cache).inc(count)
        self._found["dropped"] += count

    def saved(self, seconds: float) -> None:
        """A kept value was used."""
        SAVED.labels(self._cache).inc(max(0.0, seconds))
        self._saved_s += max(0.0, seconds)

    def write(self, redis: Redis) -> None:
        """Add to the sum over all processes; raises RedisError."""
        with redis.pipeline(transaction=False) as pipe:
            for name, count in self._found.items():
                pipe.hincrby(COUNTS, f"{self._cache}.{name}", count)
            if self._saved_s:
                pipe.hincrbyfloat(COUNTS, f"{self._cache}.saved_s", self._saved_s)
            pipe.expire(COUNTS, COUNTS_TTL_S)
            pipe.execute()


def counts(redis: Redis) -> dict[str, float]:
    """The sum over all processes since Redis was emptied: `look.hit`, `draft.bypass.redis` ...; raises RedisError."""
    found: Mapping[bytes, bytes] = redis.hgetall(COUNTS)  # type: ignore[assignment]
    return {name.decode(): float(value) for name, value in sorted(found.items())}
