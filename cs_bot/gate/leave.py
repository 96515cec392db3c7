"""What the policy allows a turn that no rule speaks against: mode, score against threshold, share."""

import hashlib
from dataclasses import dataclass

from cs_bot.gate.rules import kinds_of
from cs_bot.records import MODE_REASONS, Mode, Policy, Reading, Reason, Route, Turn, strictest


@dataclass(frozen=True)
class Leave:
    """What the policy allows a turn that nothing else speaks against; share and audit rate where it may be sent."""

    mode: Mode
    score: float | None
    against: frozenset[Reason]
    share: float | None = None
    audit_rate: float | None = None


def leave_for(
    turn: Turn, reading: Reading, route: Route, policy: Policy, evidence: dict[str, float], by: tuple[str, ...]
) -> Leave:
    """The strictest mode, the lowest score and the smallest share of the turn's kinds."""
    keys = [f"{kind.value}/{route.value}" for kind in sorted(kinds_of(reading))]
    mode = strictest(policy.mode_for(kind, route) for kind in kinds_of(reading))
    score, enough = _scored(keys, route, policy, evidence, by)
    if mode is not Mode.AUTO:
        return Leave(mode, score, frozenset({MODE_REASONS[mode]}))
    share = min(policy.share, *(policy.shares.get(key, 1.0) for key in keys))
    against = set() if enough else {Reason.BELOW_THRESHOLD}
    if not in_share(turn.turn_id, policy.share):
        mode = Mode.ASSIST
        against.add(Reason.MODE_ASSIST)
    elif not in_share(turn.turn_id, share):
        against.add(Reason.NOT_IN_SHARE)
    rate = policy.audit_share if share == 1.0 else max(policy.audit_share, policy.canary_audit_share)
    return Leave(mode, score, frozenset(against), share, rate)


def _scored(
    keys: list[str], route: Route, policy: Policy, evidence: dict[str, float], by: tuple[str, ...]
) -> tuple[float | None, bool]:
    """The lowest score of the turn's kinds, and whether each reaches its threshold. A proof is held to a fit only
    where the policy has one; any other route without a fit, a signal or an engine that the fit knows is not enough."""
    fits = [policy.fit_for(key) for key in keys]
    if route is Route.PROOF and not any(key in policy.fits for key in keys):
        return None, True
    lowest, enough = 1.0, True
    for fit in fits:
        score = fit.score(evidence) if fit is not None and set(by) <= set(fit.engines) else None
        if fit is None or score is None:
            return None, False
        lowest, enough = min(lowest, score), enough and score >= fit.threshold
    return lowest, enough


def in_share(turn_id: int, share: float) -> bool:
    """Whether a turn is among the part that `auto` really sends; a larger share keeps those of a smaller one."""
    digest = hashlib.sha256(f"turn:{turn_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
