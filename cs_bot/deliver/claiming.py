"""The send claim (T4): a row of the outbox that may go out now, in state `sending`, or what is in its way."""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cs_bot import turns
from cs_bot.records import MODE_REASONS, End, Kind, Outbound, Owner, Policy, Reason, Route
from cs_bot.settings import DeliverSettings, Settings
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import conversations, messages, outbound
from cs_bot.store.queries import turns as queries
from cs_bot.store.queries.sql import changed

Refetch = Callable[[Transaction, dict[str, Any]], str]
ASKS = (Reason.REVIEW_OPEN, Reason.STALE, Reason.TAKEN_OVER)  # the last, and given back: a person may have answered
log = logging.getLogger("cs_bot.deliver")


@dataclass(frozen=True)
class Claimed:
    """A row in state `sending`, committed before the call."""

    row_id: int
    outbound: Outbound
    turn_id: int | None  # whose reply it is


def claim(database: Database, *, settings: Settings, policy: Policy, refetch: Refetch) -> Claimed | None:
    """Take the oldest undelivered row of a conversation (T4): checks, then `sending`, then commit."""
    with database.read() as tx:  # a poll must not take SQLite's only write lock
        if not outbound.candidates(tx, limit=1):
            return None
    with database.write() as tx:
        for candidate in outbound.candidates(tx, limit=10):
            conversation = conversations.try_lock(tx, candidate["conversation_id"])
            if conversation is None:
                continue
            claimed = claim_head(tx, conversation, settings=settings, policy=policy, refetch=refetch)
            if claimed is not None:
                return claimed
    return None


def claim_head(
    tx: Transaction, conversation: Row, *, settings: Settings, policy: Policy, refetch: Refetch
) -> Claimed | None:
    """Claim the oldest undelivered row of a locked conversation when it may go out now: checks, then `sending`."""
    row = outbound.head(tx, conversation["id"])
    if row is None or row["state"] != "pending" or row["due_at"] > tx.now():
        return None
    if row["paused_until"] is not None and row["paused_until"] > tx.now():
        return None
    found = tx.isolated(lambda: _claim_row(tx, conversation, row, settings=settings, policy=policy, refetch=refetch))
    if isinstance(found, Exception):
        _put_off(tx, conversation, row, found, settings)
        return None
    return found


def _claim_row(
    tx: Transaction, conversation: Row, row: Row, *, settings: Settings, policy: Policy, refetch: Refetch
) -> Claimed | None:
    burst = messages.answered_by(tx, row)
    reason = None if row["kind"] != "reply" else _blocked_by(tx, conversation, row, burst, policy, refetch)
    if reason is not None:
        _blocked(tx, conversation, row, reason, settings)
        return None
    token = outbound.start_sending(tx, row["id"])
    rules = settings.deliver
    if row["send_failures"] >= rules.breaker_failures:
        account = conversation["channel"], conversation["account"]
        outbound.start_trial(tx, *account, failures=rules.breaker_failures, pause_s=rules.breaker_pause_s)
    return Claimed(row["id"], _outbound(conversation, row, burst, token), row["turn_id"])


def _put_off(tx: Transaction, conversation: Row, row: Row, problem: Exception, settings: Settings) -> None:
    """A row that breaks its own claim holds up no other: it is tried again later, and in the end a person answers."""
    attempts, detail = row["attempts"] + 1, type(problem).__name__
    log.error("a row can't be claimed", exc_info=problem, extra={"row_id": row["id"], "attempts": attempts})
    due_at = tx.now() + timedelta(seconds=backoff(attempts, settings.deliver))
    outbound.put_off(tx, row["id"], due_at=due_at, detail=detail)
    if attempts < settings.deliver.max_attempts:
        return

    def give_up() -> None:
        outbound.cancel(tx, row["id"], "undetermined" if row["maybe_sent"] else "failed", detail)
        changed(tx, "conversation", conversation["id"])
        ask_a_person(tx, conversation, row, Reason.DELIVERY_FAILED, settings)

    failed = tx.isolated(give_up)
    if failed is not None:
        log.error("nobody can be asked about a row, it is tried again", exc_info=failed, extra={"row_id": row["id"]})


def _blocked_by(
    tx: Transaction, conversation: Row, row: Row, burst: Sequence[Row], policy: Policy, refetch: Refetch
) -> Reason | None:
    """Why a bot reply may not go out now."""
    if conversation["owner"] != Owner.BOT or conversation["epoch"] != row["epoch"]:
        return Reason.TAKEN_OVER
    if row["open_review_id"] is not None:
        return Reason.REVIEW_OPEN
    facts = row["facts"]
    if any(m["end"] == End.REVOKED and m["id"] in facts["messages"] for m in burst):
        return Reason.REVOKED
    if any(tx.now() - m["sent_at"] > timedelta(seconds=policy.stale_after_s) for m in burst):
        return Reason.STALE
    if facts.get("keys") and refetch(tx, facts["keys"]) != facts["fingerprint"]:
        return Reason.FACTS_CHANGED
    return _switched_off(tx, row, policy)


def _switched_off(tx: Transaction, row: Row, policy: Policy) -> Reason | None:
    """Why the policy of now does not let such replies out: a roll-back, or a person, came after the decision."""
    turn = None if row["turn_id"] is None else queries.get(tx, row["turn_id"])
    if turn is None or turn["kind"] is None or turn["route"] is None:
        return None
    return MODE_REASONS.get(policy.mode_for(Kind(turn["kind"]), Route(turn["route"])))


def _blocked(tx: Transaction, conversation: Row, row: Row, reason: Reason, settings: Settings) -> None:
    changed(tx, "conversation", conversation["id"])
    if row["maybe_sent"]:  # the customer may have seen it: never answer anew, a person looks
        outbound.cancel(tx, row["id"], "undetermined", reason)
        ask_a_person(tx, conversation, row, Reason.DELIVERY_UNKNOWN, settings)
        return
    outbound.cancel(tx, row["id"], "cancelled", reason)
    if conversation["owner"] == Owner.OUTSIDE:
        messages.end(tx, messages.of_turn(row["turn_id"]), End.HANDED_OVER, Reason.TAKEN_OVER)
    elif conversation["owner"] == Owner.DESK or reason in ASKS:
        ask_a_person(tx, conversation, row, reason, settings)
    else:  # facts or modes changed, or a message revoked: answer what is open anew
        turns.send_back(tx, conversation, row["turn_id"])


def ask_a_person(tx: Transaction, conversation: Row, row: Row, reason: Reason, settings: Settings) -> None:
    """A person answers what the row leaves open: a reply's turn, or the messages of an agent's answer."""
    if not messages.count_open(tx, answers(row)):
        return
    if row["kind"] == "reply":
        turns.ask_a_person(tx, conversation, turn_id=row["turn_id"], reasons=[reason], settings=settings)
        return
    review_id = turns.hold(tx, conversation, turn_id=row["turn_id"], reasons=[reason], due_s=settings.review.due_s)
    if row["review_id"] is not None and row["review_id"] != review_id:
        messages.change_review(tx, row["review_id"], review_id)


def answers(row: Row) -> Any:
    """The messages that a row answers."""
    if row["review_id"] is not None:
        return messages.of_review(row["review_id"])
    return messages.of_turn(row["turn_id"] if row["turn_id"] is not None else -1)


def backoff(attempts: int, rules: DeliverSettings) -> float:
    """Seconds to wait, full jitter: uniform in 0 .. first * 2^(attempts - 1), bounded."""
    return random.uniform(0, min(rules.backoff_at_most_s, rules.backoff_s * 2.0 ** min(attempts - 1, 30)))


def _outbound(conversation: Row, row: Row, answered: Sequence[Row], token: str) -> Outbound:
    first = min(answered, key=lambda m: int(m["customer_id"]), default=None)
    return Outbound(
        outbound_id=row["outbound_id"],
        conversation_id=conversation["id"],
        channel=conversation["channel"],
        account=conversation["account"],
        conversation_external_id=conversation["external_id"],
        customer_external_id=None if first is None else first["customer_external_id"],
        kind=row["kind"],
        text=row["text"],
        attempts=row["attempts"] + 1,
        send_token=token,
        in_reply_to=tuple(m["external_id"] for m in answered if m["end"] is None),
        extra=row["extra"],
    )
