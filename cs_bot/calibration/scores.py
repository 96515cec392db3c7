"""Signals -> the probability that a draft is right: a small logistic fit that one can read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from cs_bot.records import Fit

NEARLY_ALWAYS = 0.95  # a signal that fewer of the turns have is not used
RIDGE = 1.0
STEPS = 50


@dataclass(frozen=True)
class Judged:
    """A turn that people have judged. `inclusion` is the probability that such a turn is judged at all: 1 where each
    one is held for a person, less where some are sent and only a share of those is audited."""

    turn_id: int
    right: bool
    signals: Mapping[str, float]
    engines: tuple[str, ...]
    at: datetime
    inclusion: float = 1.0
    score: float | None = field(default=None, compare=False)

    @property
    def weight(self) -> float:
        """How many turns of the traffic this one stands for."""
        return 1.0 / self.inclusion


def usable_signals(judged: Sequence[Judged]) -> tuple[str, ...]:
    """The signals that nearly all of the turns have, by name."""
    names = sorted({name for one in judged for name in one.signals})
    return tuple(n for n in names if sum(n in one.signals for one in judged) >= NEARLY_ALWAYS * len(judged))


def logistic(judged: Sequence[Judged]) -> tuple[dict[str, float], float]:
    """Weights per signal and bias of P(right), fitted to the turns that have every usable signal.

    Maximum likelihood with a small ridge on standardised signals (Newton), the turns weighted by 1 / inclusion, and
    Platt's targets (Advances in Large Margin Classifiers, 1999) instead of 0 and 1, so that no score is ever certain.
    A signal that would speak against being right gets the weight 0: more certainty must never lower the score.
    """
    names = usable_signals(judged)
    whole = [one for one in judged if names and set(names) <= set(one.signals)]
    if not whole:
        return {}, 0.0
    x = np.array([[one.signals[name] for name in names] for one in whole], dtype=float)
    y = np.array([one.right for one in whole], dtype=float)
    weight = np.array([one.weight for one in whole], dtype=float)
    weight *= len(whole) / weight.sum()
    mean, spread = x.mean(axis=0), x.std(axis=0)
    live = [i for i in range(len(names)) if spread[i] > 1e-9]
    while True:
        z = (x[:, live] - mean[live]) / spread[live]
        bias, found = _newton(z, y, weight)
        if (found >= 0).all():
            break
        live = [i for i, value in zip(live, found, strict=True) if value >= 0]
    weights = dict.fromkeys(names, 0.0)
    for i, value in zip(live, found, strict=True):
        weights[names[i]] = float(value / spread[i])
        bias -= float(value * mean[i] / spread[i])
    return weights, float(bias)


def _newton(z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Bias and weights of a ridge logistic regression (the bias is not shrunk)."""
    right, wrong = float((weight * y).sum()), float((weight * (1 - y)).sum())
    goal = np.where(y > 0, (right + 1) / (right + 2), 1 / (wrong + 2))
    a = np.column_stack([np.ones(len(z)), z])
    ridge = RIDGE * np.eye(a.shape[1])
    ridge[0, 0] = 1e-9
    b = np.zeros(a.shape[1])
    b[0] = np.log((right + 1) / (wrong + 1))
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(a @ b, -30, 30)))
        slope = a.T @ (weight * (goal - p)) - ridge @ b
        curve = (a * (weight * p * (1 - p))[:, None]).T @ a + ridge
        step = np.linalg.solve(curve, slope)
        b += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            break
    return float(b[0]), b[1:]


def with_scores(judged: Sequence[Judged], fit: Fit) -> list[Judged]:
    """The turns with the fit's score, exactly as the gate would give it; None for another engine's work."""
    known = set(fit.engines)
    return [_scored(one, fit.score(one.signals) if set(one.engines) <= known else None) for one in judged]


def _scored(one: Judged, score: float | None) -> Judged:
    return Judged(one.turn_id, one.right, one.signals, one.engines, one.at, one.inclusion, score)
