"""Judgements -> the lowest threshold that keeps the wrong share under the target, by fixed-sequence testing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from cs_bot.calibration.bounds import ALPHA, clopper_pearson_upper, minimum_n
from cs_bot.calibration.scores import Judged, logistic, with_scores
from cs_bot.records import Fit

FIT_PART = 0.3  # of the judged turns shapes the score; the rest tests it
CANDIDATES = 20
FIRST = 2.2  # the first threshold tested lets through so many times the minimum n: two wrong ones do not end it


@dataclass(frozen=True)
class Tested:
    """One threshold's test. `n` judged turns reach it, `wrong` of them were wrong."""

    threshold: float
    n: int
    wrong: int
    bound: float
    passed: bool


@dataclass(frozen=True)
class Calibrated:
    """What a calibration found: the fit whose threshold may be used, or why there is none.

    `trial` is the same fit, or one at the first threshold tested where none passed; `held_out` the turns that did not
    shape it, with its score; `tests` stand in the order in which they were made.
    """

    fit: Fit | None
    why: str
    judged: int
    trial: Fit | None = None
    held_out: tuple[Judged, ...] = ()
    tests: tuple[Tested, ...] = ()


def calibrate(judged: Sequence[Judged], *, target: float, now: datetime, version: int = 0) -> Calibrated:
    """Fit a score on one part of the turns, find its threshold on the other.

    Fixed-sequence testing (Angelopoulos, Bates, Candes, Jordan & Lei, "Learn then Test", 2021, section 4): thresholds
    are chosen from the fitting part alone and tested from the surest down, each at 5 %; the first one that fails ends
    it, the last one that passed is taken. A threshold that breaks the promise is then taken with probability at most
    5 %, however many are tested: that needs the first such one in the sequence to pass. Testing all and taking the
    best one that passes would give each its own chance of being lucky.
    """
    known = _newest_engines(judged)
    ours = [one for one in judged if set(one.engines) <= known]
    least = minimum_n(target)
    if len(ours) < least:
        return Calibrated(None, f"{len(ours)} judged, at least {least} are needed", len(ours))
    fitting = [one for one in ours if _uniform("fit", one.turn_id) < FIT_PART]
    testing = [one for one in ours if _uniform("fit", one.turn_id) >= FIT_PART]
    weights, bias = logistic(fitting)
    if not weights:
        return Calibrated(None, "no signal that nearly all of these turns have", len(ours))
    trial = Fit(
        version=version,
        weights=weights,
        bias=bias,
        engines=tuple(sorted(known)),
        threshold=1.0,
        target=target,
        n=0,
        wrong=0,
        bound=1.0,
        data_from=min(one.at for one in ours),
        data_to=max(one.at for one in ours),
        created_at=now,
    )
    held_out = with_scores(testing, trial)
    tests = _in_sequence(_sequence(with_scores(fitting, trial), len(testing), least), held_out, target)
    passed = [test for test in tests if test.passed]
    why = "" if passed else _why_not(tests, least, target)
    if tests:
        trial = _at(trial, passed[-1] if passed else tests[0])
    return Calibrated(trial if passed else None, why, len(ours), trial, tuple(held_out), tuple(tests))


def _at(fit: Fit, test: Tested) -> Fit:
    """The fit with a tested threshold."""
    return fit.model_copy(update={"threshold": test.threshold, "n": test.n, "wrong": test.wrong, "bound": test.bound})


def _newest_engines(judged: Sequence[Judged]) -> set[str]:
    """Who did the newest turn: judgements of others' work say nothing of theirs."""
    return set(max(judged, key=lambda one: (one.at, one.turn_id)).engines) if judged else set()


def _sequence(fitting: Sequence[Judged], testing: int, least: int) -> list[float]:
    """Thresholds from the surest down, from the fitting part alone: quantiles of its scores.

    The first is expected to let FIRST times the minimum n through in the testing part, or all when there are fewer.
    """
    scored = sorted((one.score for one in fitting if one.score is not None), reverse=True)
    if not scored:
        return []
    places = np.linspace(0, len(scored), CANDIDATES + 1)[1:]
    every = list(dict.fromkeys(scored[round(float(place)) - 1] for place in places if place >= 1))
    ratio = testing / len(fitting)
    expected = [len(reaching(fitting, threshold)) * ratio for threshold in every]
    enough = [place for place, n in enumerate(expected) if n >= FIRST * least]
    return every[enough[0] if enough else len(every) - 1 :]


def _in_sequence(thresholds: Sequence[float], held_out: Sequence[Judged], target: float) -> list[Tested]:
    tests: list[Tested] = []
    for threshold in thresholds:
        test = tested(threshold, held_out, target)
        tests.append(test)
        if not test.passed:
            break
    return tests


def tested(threshold: float, held_out: Sequence[Judged], target: float) -> Tested:
    """Whether the turns that reach a threshold bound its wrong share by the target."""
    inside = reaching(held_out, threshold)
    wrong = sum(not one.right for one in inside)
    bound = clopper_pearson_upper(wrong, len(inside), ALPHA)
    return Tested(threshold, len(inside), wrong, bound, bound <= target)


def reaching(judged: Sequence[Judged], threshold: float) -> list[Judged]:
    """The turns that reach a threshold, thinned so that each had the same chance of being in here.

    Clopper and Pearson need plain draws: a turn that was held was surely judged, one that was sent only when the audit
    drew it. Each stays with the probability (smallest inclusion among them) / (its own), by a hash of its id.
    """
    inside = [one for one in judged if one.score is not None and one.score >= threshold]
    rarest = min((one.inclusion for one in inside), default=1.0)
    return [o for o in inside if o.inclusion <= rarest or _uniform("thin", o.turn_id) * o.inclusion < rarest]


def _uniform(salt: str, turn_id: int) -> float:
    """A number in 0..1 that is always the same for a turn and says nothing about it."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{turn_id}".encode()).digest()[:8], "big") / 2**64


def _why_not(tests: Sequence[Tested], least: int, target: float) -> str:
    if not tests or tests[0].n < least:
        return f"{tests[0].n if tests else 0} judged turns can be tested, at least {least} are needed"
    first = tests[0]
    return f"up to {first.bound:.1%} may be wrong ({first.wrong} of the surest {first.n}), more than {target:.1%}"
