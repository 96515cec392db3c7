"""Whether a draft may go out by itself."""

from datetime import datetime

from cs_bot import signals
from cs_bot.gate import rules
from cs_bot.gate.hints import suggestion
from cs_bot.gate.leave import leave_for
from cs_bot.records import Action, Decision, Draft, Facts, Policy, Reading, Reason, Route, Turn, ordered

# Reasons that say nothing against the draft: what is held for these alone is what calibration learns from.
_OF_POLICY = frozenset({Reason.MODE_ASSIST, Reason.MODE_SHADOW, Reason.BELOW_THRESHOLD, Reason.NOT_IN_SHARE})


def decide(
    turn: Turn, reading: Reading, facts: Facts, draft: Draft | None, *, policy: Policy, now: datetime
) -> Decision:
    """Whether the draft may go out by itself, with every reason against it, the weightiest first.

    SEND needs no reason against, mode `auto` for every kind in the turn, the turn's place within the policy's share
    and, off the proof route, a calibrated score at or above its threshold; its only reason is PROVEN or CALIBRATED.
    Everything else is a REVIEW.
    """
    route = draft.route if draft is not None else Route.ADVICE
    against = {
        *rules.of_conversation(turn, policy),
        *rules.of_messages(turn.messages, policy, now),
        *rules.of_pictures(turn, reading, policy),
        *rules.of_reading(reading, facts),
        *rules.of_kinds(reading, draft),
        *rules.of_draft(reading, facts, draft),
        *(rules.of_proof(turn, reading, facts, policy, now) if rules.states_order(draft) else ()),
        *(rules.of_catalog(facts, policy, now) if route is Route.CATALOG else ()),
    }
    evidence, by = signals.signals(reading, facts, draft), signals.engines(reading, draft)
    leave = leave_for(turn, reading, route, policy, evidence, by)
    against |= leave.against
    sure = Reason.PROVEN if route is Route.PROOF else Reason.CALIBRATED
    reasons = ordered({*against, *rules.worth_telling(facts, route)}) if against else (sure,)
    return Decision(
        action=Action.REVIEW if against else Action.SEND,
        mode=leave.mode,
        kind=reading.kind,
        route=route,
        reasons=reasons,
        suggestion=suggestion(reading, reasons),
        policy_version=policy.version,
        signals=evidence,
        score=leave.score,
        engines=by,
        share=leave.share,
        audit_rate=leave.audit_rate,
        eligible=turn.origin == "customer" and against <= _OF_POLICY,
    )
