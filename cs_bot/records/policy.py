"""What the shop allows: the policy with its fits."""

import math
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from pydantic import Field

from cs_bot.records.base import Record
from cs_bot.records.words import Kind, Mode, Route, strictest


class Fit(Record):
    """What the shop's judgements say of one kind and route: a score, and the threshold that its evidence supports.

    score = 1 / (1 + exp(-(bias + sum of weight * signal))), the probability that the draft is right; weights are never
    negative. On `n` judged turns at or above `threshold`, none of which shaped the score, `wrong` were wrong;
    `bound` is the upper Clopper-Pearson bound of the wrong share (calibration/, docs/calibration.md).
    """

    version: int  # the row of `calibrations`
    weights: dict[str, float]
    bias: float
    engines: tuple[str, ...]  # who looked and wrote in that data; it says nothing of others
    threshold: float
    target: float
    n: int
    wrong: int
    bound: float
    data_from: datetime
    data_to: datetime
    created_at: datetime

    def score(self, signals: Mapping[str, float]) -> float | None:
        """The probability that a draft is right; None when a signal is missing, or there is none to go by."""
        if not self.weights or not self.weights.keys() <= signals.keys():
            return None
        x = self.bias + sum(weight * signals[name] for name, weight in sorted(self.weights.items()))
        return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def _names(name: str, kinds: Collection[str], routes: Collection[str]) -> bool:
    kind, slash, route = name.partition("/")
    return bool(slash) and kind in kinds and route in routes


def _first_modes() -> dict[str, Mode]:
    return {"*/proof": Mode.AUTO, "*/*": Mode.ASSIST}


class Policy(Record):
    """The numbers that gate, ground, agent page and docs share; a versioned row of the policy table.

    `modes` maps "kind/route" to a Mode; `*` stands for any, the most exact entry wins. `share` is the part of the
    turns (by a hash of the turn id) that `auto` really sends.

    The gate that learns keeps the rest per exact "kind/route": `fits`, without which `auto` sends nothing but proofs;
    `shares` of a canary (1 where it does not say); `steps`, the policy version with which the present mode, share or
    fit began; `evidence`, the version before which judgements no longer count (a roll-back sets it); `starts`, the mode
    that its roll-out began with and goes back to (`assist` where it does not say).
    """

    version: int = 1
    modes: dict[str, Mode] = Field(default_factory=_first_modes)
    share: float = Field(default=1.0, ge=0, le=1)
    wrong_target: float = Field(default=0.02, ge=0.001, le=0.2)  # of the replies sent alone, at 95 % confidence
    audit_share: float = Field(default=0.02, ge=0, le=1)  # of the replies sent alone, judged blind
    canary_audit_share: float = Field(default=1.0, ge=0, le=1)  # the same while only a share is sent
    autopilot: bool = False  # whether upkeep may calibrate and take steps up; down it always may
    stale_after_s: float = 900.0
    early_by_s: float = 300.0  # a message may claim to come this far from the future
    loop_max: int = 6
    loop_window_s: float = 600.0
    max_pictures: int = 4
    order_max_age_s: float = 86_400.0
    product_max_age_s: float = 172_800.0
    amount_tolerance: Decimal = Decimal(0)
    time_tolerance_s: float = 120.0
    shares: dict[str, float] = Field(default_factory=dict)
    fits: dict[str, Fit] = Field(default_factory=dict)
    steps: dict[str, int] = Field(default_factory=dict)
    evidence: dict[str, int] = Field(default_factory=dict)
    starts: dict[str, Mode] = Field(default_factory=dict)

    def mode_for(self, kind: Kind, route: Route) -> Mode:
        """What is allowed for one kind and route; `assist` when nothing is said.

        The most exact entry wins; where "kind/*" and "*/route" both fit, the stricter one.
        """
        exact = self.modes.get(f"{kind.value}/{route.value}")
        if exact is not None:
            return exact
        half = [self.modes[key] for key in (f"{kind.value}/*", f"*/{route.value}") if key in self.modes]
        return strictest(half) if half else self.modes.get("*/*", Mode.ASSIST)

    def misspelt(self) -> list[str]:
        """Names of `modes` and `shares` that stand for no kind and route: what they say would silently not count."""
        kinds, routes = {*Kind, "*"}, {*Route, "*"}
        wrong = [name for name in self.modes if not _names(name, kinds, routes)]
        return wrong + [name for name in self.shares if not _names(name, set(Kind), set(Route))]

    def fit_for(self, name: str) -> Fit | None:
        """The fit of a "kind/route" that keeps today's target; one that was made for a laxer target does not count."""
        fit = self.fits.get(name)
        return fit if fit is not None and fit.bound <= self.wrong_target else None
