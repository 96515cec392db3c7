"""Judgements of a shop whose truth is known: how often a draft is right, given its signals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from cs_bot.calibration.scores import Judged
from cs_bot.records import Fit

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = ("catalog.margin", "catalog.score", "kind.margin")
Truth = Callable[[np.ndarray], np.ndarray]


def steep(x: np.ndarray) -> np.ndarray:
    """Sure ones are right, unsure ones a coin's throw away from it."""
    return np.asarray(1 / (1 + np.exp(-(1.0 + 7.0 * x[:, 0] + 1.5 * x[:, 1]))))


def mild(x: np.ndarray) -> np.ndarray:
    """The signals say something, the bot is fairly good anyway."""
    return np.asarray(1 / (1 + np.exp(-(2.5 + 3.0 * x[:, 0] + x[:, 1]))))


def crooked(x: np.ndarray) -> np.ndarray:
    """No logistic curve: a cliff in the first signal, and a trap among the surest."""
    return np.where(x[:, 0] > 0.97, 0.9, np.where(x[:, 0] > 0.4, 0.995, 0.7))


def on_the_edge(x: np.ndarray) -> np.ndarray:
    """Exactly as many wrong as the target allows, whatever the signals say: no threshold helps."""
    return np.full(len(x), 0.98)


TRUTHS: dict[str, Truth] = {"steep": steep, "mild": mild, "crooked": crooked, "on the edge": on_the_edge}


def signals(rng: np.random.Generator, n: int) -> np.ndarray:
    """Three signals, evenly spread; the third says nothing."""
    return rng.random((n, len(NAMES)))


@dataclass(frozen=True)
class Canary:
    """A fit already sends: of the turns it lets through a `share`, of which an `audited` part is judged."""

    lets_through: float  # turns whose first signal is above
    share: float
    audited: float


def judgements(seed: int, n: int, truth: Truth, canary: Canary | None = None) -> list[Judged]:
    """`n` turns of traffic; those that were judged."""
    rng = np.random.default_rng(seed)
    x = signals(rng, n)
    right = rng.random(n) < truth(x)
    drawn, inclusion = np.ones(n, dtype=bool), np.ones(n)
    if canary is not None:
        through = x[:, 0] > canary.lets_through
        inclusion[through] = 1 - canary.share + canary.share * canary.audited
        drawn = rng.random(n) < inclusion
    ids = rng.integers(0, 2**50, n)
    return [
        Judged(
            turn_id=int(ids[i]),
            right=bool(right[i]),
            signals=dict(zip(NAMES, map(float, x[i]), strict=True)),
            engines=("templates",),
            at=NOW - timedelta(minutes=n - i),
            inclusion=float(inclusion[i]),
        )
        for i in range(n)
        if drawn[i]
    ]


_TRAFFIC = signals(np.random.default_rng(99), 100_000)


def true_risk(fit: Fit, truth: Truth) -> tuple[float, float]:
    """Of endless traffic: the wrong share above the fit's threshold, and how much of it is above."""
    score = 1 / (1 + np.exp(-(_TRAFFIC @ np.array([fit.weights[name] for name in NAMES]) + fit.bias)))
    above = score >= fit.threshold
    return float((1 - truth(_TRAFFIC[above])).mean()), float(above.mean())
