"""Replies that are sent without a person, made the way the product makes them."""

from typing import Any

from cs_bot import bootstrap, deliver, turns
from cs_bot.records import (
    Action,
    Decision,
    Draft,
    Facts,
    Kind,
    Mode,
    Policy,
    Reading,
    Reason,
    Receipt,
    Route,
    SendState,
)
from cs_bot.testing import RecordingChannel
from tests import desk

DRAFT = "您好，全场满 99 元包邮，欢迎选购，祝您生活愉快。"
PLAIN = Facts(fingerprint="f")
SENT: dict[str, Any] = {"action": Action.SEND, "reasons": (Reason.CALIBRATED,), "share": 0.05, "audit_rate": 1.0}


def finish(services: bootstrap.Services, conversation: str, *, facts: Facts = PLAIN, **decision: Any) -> int:
    """A question in words, worked off with this decision; the turn's id."""
    desk.say(services, "包邮吗", conversation_id=conversation)
    [turn] = turns.claim(services.database, settings=services.settings, policy=Policy(), limit=1)
    said = {"template_id": "t", "slots": {}, "language": "zh", "kind": Kind.TEXT, "route": Route.FAQ, **desk.CONTEXT}
    base: dict[str, Any] = {"mode": Mode.AUTO, "signals": {"faq.score": 0.77}, "score": 0.98765, "eligible": True}
    who = {"kind": Kind.TEXT, "route": Route.FAQ, "suggestion": "", "policy_version": 1, "engines": ("templates",)}
    work = turns.Work(
        looks=(),
        reading=Reading(kind=Kind.TEXT, kinds={Kind.TEXT: 1.0}, question=turn.text),
        facts=facts,
        draft=Draft(template=DRAFT, text=DRAFT, **said),
        decision=Decision(**{**base, **who, **decision}),
        fact_keys={},
    )
    turns.finish(services.database, turn, work, settings=services.settings)
    return turn.turn_id


def send(services: bootstrap.Services, *receipts: SendState) -> None:
    """Deliver the next reply, once a receipt."""
    channel = RecordingChannel(receipts=[Receipt(state=state) for state in receipts])
    for _ in receipts:
        deliver.send_next(
            services.database,
            channels={("generic", "shop"): channel},
            settings=services.settings,
            policy=Policy(modes={"*/*": Mode.AUTO}),
            refetch=lambda *_: "f",
        )
