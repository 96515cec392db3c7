"""How far the scores can be trusted, and what the gate would do next: what `cs-bot gate report` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cs_bot.calibration.bounds import PATIENCE, alarm, assurance, fewest, wilson
from cs_bot.calibration.rollout import SHARES, Key, look, name_of
from cs_bot.calibration.scores import Judged
from cs_bot.calibration.steps import WATCHED
from cs_bot.calibration.thresholds import Calibrated, tested
from cs_bot.records import Fit, Kind, Mode, Policy, Route
from cs_bot.store.database import Database
from cs_bot.store.queries import audits, calibrations, shadows

BINS = 10
LEAST_IN_BIN = 20  # a bin with fewer is not shown
COVERAGES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True)
class Bin:
    """Turns of about the same score: how often they were right, with Wilson's 95 % interval."""

    n: int
    score: float
    right: float
    low: float
    high: float


@dataclass(frozen=True)
class Cut:
    """A threshold: the part of the traffic that reaches it, and the part of that which was wrong."""

    threshold: float
    coverage: float
    risk: float
    n: int
    bound: float


@dataclass(frozen=True)
class Report:
    """Turns that did not shape the score. Weighted by how many turns each stands for; `ece` and `brier` in 0..1."""

    n: int
    ece: float
    brier: float
    bins: tuple[Bin, ...]
    cuts: tuple[Cut, ...]


@dataclass(frozen=True)
class Line:
    """Where a kind stands, what was found in its judgements, and what comes next.

    `shadow`: how many hidden drafts were right, wrong, and wait for a verdict (these count as wrong).
    """

    key: str
    mode: Mode
    share: float
    fit: Fit | None
    audited: int
    audited_wrong: int
    shadow: Mapping[str, int]
    found: Calibrated
    next: str


def lines(database: Database, policy: Policy) -> list[Line]:
    """Every kind and route that was judged, or that is sent alone."""
    with database.read() as tx:
        known = {(Kind(kind), Route(route)) for kind, route in calibrations.keys(tx)}
    known |= {(kind, route) for kind in Kind for route in Route if f"{kind.value}/{route.value}" in policy.modes}
    return [line(database, policy, key) for key in sorted(known)]


def line(database: Database, policy: Policy, key: Key) -> Line:
    """One of them."""
    name, mode = name_of(key), policy.mode_for(*key)
    with database.read() as tx:
        since = policy.steps.get(name, 0)
        verdicts = audits.verdicts(tx, *key, since_version=since, limit=WATCHED)
        shadow = shadows.of_key(tx, *key, since_version=policy.evidence.get(name, 0))
    found = look(database, policy, key)
    share = policy.shares.get(name, 1.0)
    auto = mode is Mode.AUTO and (key[1] is Route.PROOF or policy.fit_for(name) is not None)
    following = _next_of_auto(policy, key, share, verdicts) if auto else _next_of_held(key, mode, found)
    if shadow.get("waiting") and not auto:
        following += f"; {shadow['waiting']} hidden drafts wait for a verdict and count as wrong"
    return Line(name, mode, share, policy.fits.get(name), len(verdicts), sum(verdicts), shadow, found, following)


def report(found: Calibrated, target: float) -> Report | None:
    """Reliability, ECE, Brier and risk-coverage of a calibration's held-out turns; None without scores."""
    scored = [one for one in found.held_out if one.score is not None]
    if not scored:
        return None
    p, y, w = _columns(scored)
    bins = _bins(p, y, w)
    ece = sum(abs(part.right - part.score) * weight for part, weight in bins) / w.sum()
    return Report(
        n=len(scored),
        ece=float(ece),
        brier=float((w * (p - y) ** 2).sum() / w.sum()),
        bins=tuple(part for part, _ in bins if part.n >= LEAST_IN_BIN),
        cuts=tuple(_cut(coverage, scored, target) for coverage in COVERAGES),
    )


def _columns(judged: Sequence[Judged]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ranked = sorted(judged, key=lambda one: one.score or 0.0)
    return (
        np.array([one.score for one in ranked], dtype=float),
        np.array([one.right for one in ranked], dtype=float),
        np.array([one.weight for one in ranked], dtype=float),
    )


def _bins(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> list[tuple[Bin, float]]:
    """Ten bins of equal mass, with their weight. An interval counts (sum w)^2 / sum w^2 turns."""
    place = np.minimum(BINS - 1, (BINS * (np.cumsum(w) - w / 2) / w.sum()).astype(int))
    found = []
    for inside in (place == i for i in range(BINS)):
        weight = w[inside]
        if not len(weight):
            continue
        right = float((weight * y[inside]).sum() / weight.sum())
        low, high = wilson(right, float(weight.sum() ** 2 / (weight**2).sum()))
        score = float((weight * p[inside]).sum() / weight.sum())
        found.append((Bin(len(weight), score, right, low, high), float(weight.sum())))
    return found


def _cut(coverage: float, scored: Sequence[Judged], target: float) -> Cut:
    p, y, w = _columns(scored)
    above = np.cumsum(w[::-1]) / w.sum()
    threshold = float(p[::-1][min(len(p) - 1, int(np.searchsorted(above, coverage - 1e-9)))])
    inside = p >= threshold
    risk = float((w[inside] * (1 - y[inside])).sum() / w[inside].sum())
    test = tested(threshold, scored, target)
    return Cut(threshold, float(w[inside].sum() / w.sum()), risk, test.n, test.bound)


def _next_of_auto(policy: Policy, key: Key, share: float, verdicts: Sequence[bool]) -> str:
    watch = alarm(policy.wrong_target, verdicts)
    watched = f"alarm {watch.value:.0f} of {PATIENCE:.0f}"
    if watch.off:
        return f"back to {policy.starts.get(name_of(key), Mode.ASSIST).value}: {watched}"
    if share == 1.0:
        return watched
    following = next(one for one in SHARES if one > share)
    sure = assurance(policy.wrong_target, verdicts)
    if sure.given:
        return f"may go to {following:.0%}" + ("" if policy.autopilot else " (autopilot is off)") + f"; {watched}"
    return f"{following:.0%} after {fewest(policy.wrong_target)} audits or more ({sure.n} so far); {watched}"


def _next_of_held(key: Key, mode: Mode, found: Calibrated) -> str:
    if key[1] is Route.PROOF:
        return "sent by proof where its mode is auto"
    if found.fit is None:
        return f"{'nothing is sent' if mode is Mode.AUTO else f'stays {mode.value}'}: {found.why}"
    reach = sum(one.score is not None and one.score >= found.fit.threshold for one in found.held_out)
    part = reach / len(found.held_out)
    return f"may go to {SHARES[0]:.0%}: {part:.0%} reach {found.fit.threshold:.3f}, at most {found.fit.bound:.2%} wrong"
