"""What /metrics shows: this process's own registry and the business figures, counted by SQL at the scrape."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from redis import Redis
from redis.exceptions import RedisError

from cs_bot import cache, calibration, observe
from cs_bot.errors import StoreUnavailable
from cs_bot.records import End, Kind, Mode, Route, SendState, Verdict
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import audits, cache_checks, policies, product_pictures, shadows
from cs_bot.store.queries import metrics as figures

QUEUES = ("answer", "fetch", "deliver", "upkeep")
WORTH_KEEPING_S = 1.0
WORKER_SEEN_S = 60.0  # a worker that said nothing for longer counts as missing
_OUTBOUND = ("pending", "sending", SendState.SENT, SendState.UNKNOWN, "undetermined", SendState.FAILED, "cancelled")


class BusinessFigures:
    """A Prometheus collector over the database. Without an answer only csbot_database_up (0) is there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """All families, of one read transaction."""
        try:
            with self._database.read() as tx:
                found = list(_families(tx, _totals(self._database, tx)))
        except StoreUnavailable:
            found = []
        yield _one("csbot_database_up", "1 when the database answered this scrape", float(bool(found)))
        yield from found


class CacheFigures:
    """What the caches did in all processes, as they count it in Redis; nothing while Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def collect(self) -> Iterator[Metric]:
        """Both families."""
        with suppress(RedisError):
            found = cache.counts(self._redis)
            asked = GaugeMetricFamily(
                "csbot_cache_lookups",
                "What all processes asked a cache for since Redis was emptied",
                labels=("cache", "result"),
            )
            saved = GaugeMetricFamily("csbot_cache_lookups_saved_seconds", "Seconds saved by that", labels=("cache",))
            for name in cache.CACHES:
                for result in cache.RESULTS:
                    asked.add_metric((name, result), found.get(f"{name}.{result}", 0))
                saved.add_metric((name,), found.get(f"{name}.saved_s", 0))
            yield from (asked, saved)


def exposition(database: Database, redis: Redis | None = None) -> bytes:
    """Prometheus' text format."""
    business = CollectorRegistry()
    business.register(BusinessFigures(database))
    if redis is not None:
        business.register(CacheFigures(redis))
    return generate_latest(observe.REGISTRY) + generate_latest(business)


@dataclass(frozen=True)
class _Totals:
    """Counts over everything that ever happened: the only figures whose cost grows with the shop's past."""

    messages: Mapping[str, int]
    turns: Mapping[tuple[str, str, str], int]
    outbound: Mapping[str, int]
    events: Mapping[str, int]
    pictures: Mapping[str, int]
    conflicts: int
    counted_at: float
    took_s: float


_COUNTED: WeakKeyDictionary[Database, _Totals] = WeakKeyDictionary()
SELDOM = 20  # totals that took a second are counted again after twenty: five per cent of the time at most


def _totals(database: Database, tx: Transaction) -> _Totals:
    """The totals, counted anew unless that would cost too much so soon (a million turns take seconds)."""
    known, now = _COUNTED.get(database), time.monotonic()
    if known is not None and now - known.counted_at < SELDOM * known.took_s and known.took_s > WORTH_KEEPING_S:
        return known
    found = {
        "messages": figures.messages_by_end(tx),
        "turns": figures.turns_by_outcome(tx),
        "outbound": figures.outbound_by_state(tx),
        "events": figures.events_by_state(tx),
        "pictures": figures.pictures_by_state(tx),
        "conflicts": figures.conflicting_ids(tx),
    }
    ended = time.monotonic()
    _COUNTED[database] = _Totals(**found, counted_at=ended, took_s=ended - now)  # type: ignore[arg-type]
    return _COUNTED[database]


def _families(tx: Transaction, totals: _Totals) -> Iterator[Metric]:
    yield _by(
        "csbot_messages",
        "Customer messages by how they ended; open = not ended yet",
        "end",
        _with_zeros(totals.messages, [*End, "open"]),
    )
    yield _one(
        "csbot_messages_unaccounted",
        "Customer messages without an end that nobody looks after; must be 0",
        figures.unaccounted(tx),
    )
    yield _one(
        "csbot_oldest_unanswered_seconds",
        "Age of the oldest customer message without an end",
        figures.oldest_unanswered_s(tx),
    )
    yield _one(
        "csbot_conversations_waiting",
        "Conversations whose answer is due and that no worker holds",
        figures.waiting_conversations(tx),
    )
    yield _turns(totals.turns)
    outbox = _with_zeros(totals.outbound, _OUTBOUND)
    yield _by("csbot_outbound", "Replies and hand-offs by state", "state", outbox)
    yield _one(
        "csbot_sends_unknown",
        "Sends whose outcome is not known: being settled, or left for a person to look at",
        outbox["unknown"] + outbox["undetermined"],
    )
    yield _by("csbot_reviews_open", "Open reviews, claimed and free", "claim", figures.open_reviews(tx))
    yield _one("csbot_oldest_review_seconds", "Age of the oldest open review", figures.oldest_review_s(tx))
    verdicts = _with_zeros(figures.judgements_by_verdict(tx), list(Verdict))
    yield _by("csbot_judgements", "What people did with drafts", "verdict", verdicts)
    hidden = _with_zeros(shadows.by_state(tx), ["right", "wrong", "waiting"])
    yield _by("csbot_shadow_judgements", "Hidden drafts beside which people answered", "state", hidden)
    yield from _gate(tx)
    events = _with_zeros(totals.events, ["parsed", "unparsed", "not_json"])
    yield _by("csbot_events", "Webhook deliveries by state; unparsed and not_json need a look", "state", events)
    yield _one("csbot_conflicting_ids", "An id that came again with another body (first kept)", totals.conflicts)
    yield _by("csbot_pictures", "Pictures of messages by fetch state", "state", totals.pictures)
    goods = product_pictures.counts(tx)
    yield _by("csbot_product_pictures", "Pictures of products by index state", "state", goods)
    yield _one("csbot_accounts_paused", "Accounts whose sends the breaker pauses", figures.paused_accounts(tx))
    looks = figures.recent_looks(tx)
    yield _by("csbot_recent_looks", "Of the newest 500 looks, by the engine that made them", "engine", looks)
    checks = cache_checks.by_result(tx)
    yield _by(
        "csbot_cache_checks", "Hits of the look cache that were computed again, by what came of it", "result", checks
    )
    workers = _with_zeros(figures.workers_by_queue(tx, within_s=WORKER_SEEN_S), QUEUES)
    yield _by("csbot_workers", "Ready workers seen within the last minute", "queue", workers)
    yield from _stages(tx)


def _turns(counts: Mapping[tuple[str, str, str], int]) -> Metric:
    family = GaugeMetricFamily("csbot_turns", "Turns by outcome, kind and route", labels=("outcome", "kind", "route"))
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    return family


def _gate(tx: Transaction) -> Iterator[Metric]:
    """What the policy allows alone, what that rests on, and what the blind audits say of it."""
    labels = ("kind", "route")
    mode = GaugeMetricFamily("csbot_gate_mode", "1 for the mode that a kind and route has", labels=(*labels, "mode"))
    share = GaugeMetricFamily("csbot_gate_share", "The part that is sent alone where the mode is auto", labels=labels)
    threshold = GaugeMetricFamily("csbot_gate_threshold", "Scores from here on may be sent alone", labels=labels)
    bound = GaugeMetricFamily("csbot_gate_bound", "At most so many are wrong there, at 95 % confidence", labels=labels)
    policy = policies.current(tx)
    for kind, route in product(Kind, Route) if policy is not None else ():
        assert policy is not None
        key, fit = (kind.value, route.value), policy.fit_for(f"{kind.value}/{route.value}")
        allowed = policy.mode_for(kind, route)
        mode.add_metric((*key, allowed.value), 1)
        if allowed is Mode.AUTO and (fit is not None or route is Route.PROOF):
            share.add_metric(key, min(policy.share, policy.shares.get("/".join(key), 1.0)))
        if fit is not None:
            threshold.add_metric(key, fit.threshold)
            bound.add_metric(key, fit.bound)
    yield from (mode, share, threshold, bound)
    states = _with_zeros(audits.by_state(tx), ["waiting", "right", "wrong"])
    yield _by("csbot_audits", "Replies sent alone that were put aside for a blind audit", "state", states)
    back = policies.noted(tx, calibration.ROLLED_BACK)
    yield _one("csbot_gate_roll_backs", "How often a kind was rolled back because its promise broke", back)


def _stages(tx: Transaction) -> Iterator[Metric]:
    labels = ("stage", "outcome")
    count = GaugeMetricFamily("csbot_recent_stages", "Among the newest 2000 stage timings", labels=labels)
    mean = GaugeMetricFamily("csbot_recent_stage_mean_seconds", "Mean of those timings", labels=labels)
    longest = GaugeMetricFamily("csbot_recent_stage_max_seconds", "Longest of those timings", labels=labels)
    for key, (rows, mean_s, max_s) in sorted(figures.recent_stages(tx).items()):
        count.add_metric(key, rows)
        mean.add_metric(key, mean_s)
        longest.add_metric(key, max_s)
    yield from (count, mean, longest)


def _one(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _by(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for value, count in sorted(values.items()):
        family.add_metric((value,), count)
    return family


def _with_zeros(found: Mapping[str, int], known: "list[str] | tuple[str, ...]") -> dict[str, int]:
    """Every known label, so that a rule on one that never happened yet has a value to look at."""
    return {str(name): 0 for name in known} | dict(found)
