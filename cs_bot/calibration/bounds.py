"""Bounds of a wrong share: exact for a fixed number of judgements, and such that hold whenever one looks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

CONFIDENCE = 0.95
ALPHA = 1.0 - CONFIDENCE
LOWER = (0.0, 0.125, 0.25, 0.5)  # wrong shares, as parts of the target, that count as clearly better
HIGHER = (2.0, 3.0, 5.0, 10.0)  # as multiples of it, that count as clearly worse
PATIENCE = 500.0  # a kind that stays at its target is rolled back by chance once in so many judgements at most


def clopper_pearson_upper(wrong: int, n: int, alpha: float = ALPHA) -> float:
    """The share p at which seeing `wrong` or fewer of `n` has probability `alpha`; 1.0 without judgements.

    The upper bound of Clopper & Pearson, Biometrika 26 (1934) 404-413: whatever the true share, it lies above the
    bound in at most `alpha` of the samples of fixed size. Bisection over the binomial tail in logarithms.
    """
    if not 0 <= wrong <= n:
        raise ValueError(f"{wrong} wrong of {n}")
    if wrong == n:
        return 1.0
    i = np.arange(wrong + 1)
    ways = np.array([math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(wrong + 1)])
    low, high, goal = wrong / n, 1.0, math.log(alpha)
    while (middle := (low + high) / 2) not in (low, high):
        terms = ways + i * math.log(middle) + (n - i) * math.log1p(-middle)
        most = float(terms.max())
        if most + math.log(float(np.exp(terms - most).sum())) > goal:
            low = middle
        else:
            high = middle
    return high


def minimum_n(target: float, alpha: float = ALPHA) -> int:
    """How many judgements, none of them wrong, bound the wrong share by `target`: (1 - target)^n < alpha."""
    return math.floor(math.log(alpha) / math.log1p(-target)) + 1


def wilson(share: float, n: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's interval (JASA 22 (1927) 209-212) of a share; `n` may be an effective number; (0, 1) without any."""
    if n <= 0:
        return 0.0, 1.0
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


def _gain(wrong: bool, other: float, target: float) -> float:
    """The likelihood of one judgement under the share `other` over that under `target`."""
    return other / target if wrong else (1 - other) / (1 - target)


@dataclass
class Assurance:
    """Evidence, judgement by judgement, that the wrong share is below `target`; it may be looked at after each.

    The mean of likelihood ratios of LOWER shares against the target. While the share is at or above the target its
    expectation never grows, so it ever reaches 1 / ALPHA with probability at most ALPHA (Ville 1939; Robbins, Ann.
    Math. Stat. 41 (1970) 1397-1409). Without a wrong one it takes `fewest()` judgements.
    """

    target: float
    n: int = 0
    wrong: int = 0
    ratios: list[float] = field(default_factory=lambda: [1.0] * len(LOWER))

    def add(self, wrong: bool) -> None:
        """One judgement."""
        self.n, self.wrong = self.n + 1, self.wrong + wrong
        shares = [part * self.target for part in LOWER]
        self.ratios = [min(1e100, r * _gain(wrong, q, self.target)) for r, q in zip(self.ratios, shares, strict=True)]

    @property
    def value(self) -> float:
        """How much the judgements speak for a share below the target; 1 / ALPHA is enough."""
        return sum(self.ratios) / len(self.ratios)

    @property
    def given(self) -> bool:
        """Whether the share is below the target with 95 % confidence, at the least after minimum_n judgements."""
        return self.n >= minimum_n(self.target) and self.value >= 1 / ALPHA


@dataclass
class Alarm:
    """Watches for a wrong share that has risen above `target`, at whatever judgement it rises.

    Shiryaev-Roberts sums of likelihood ratios of HIGHER shares, an e-detector (Shin, Ramdas & Rinaldo, New England J.
    Stat. Data Sci. 2 (2024) 229-260): while the share stays at or below the target, the expected number of judgements
    until it goes off is at least PATIENCE, however long it ran before and whenever one looks.
    """

    target: float
    sums: list[float] = field(default_factory=lambda: [0.0] * len(HIGHER))

    def add(self, wrong: bool) -> None:
        """One judgement."""
        shares = [min(0.9, times * self.target) for times in HIGHER]
        self.sums = [(1 + s) * _gain(wrong, q, self.target) for s, q in zip(self.sums, shares, strict=True)]

    @property
    def value(self) -> float:
        """How much the newest judgements speak for a share above the target; PATIENCE sets it off."""
        return sum(self.sums) / len(self.sums)

    @property
    def off(self) -> bool:
        """Whether the promise is broken."""
        return self.value >= PATIENCE


def assurance(target: float, verdicts: Iterable[bool]) -> Assurance:
    """All `verdicts` (True = wrong), oldest first."""
    one = Assurance(target)
    for wrong in verdicts:
        one.add(wrong)
    return one


def alarm(target: float, verdicts: Iterable[bool]) -> Alarm:
    """All `verdicts` (True = wrong), oldest first."""
    one = Alarm(target)
    for wrong in verdicts:
        one.add(wrong)
    return one


def fewest(target: float) -> int:
    """How many judgements, none of them wrong, give assurance."""
    one = Assurance(target)
    while not one.given:
        one.add(False)
    return one.n
