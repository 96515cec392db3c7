"""7a send once through the channel -> Receipt."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cs_bot import turns
from cs_bot.channels.base import Channel
from cs_bot.records import MODE_REASONS, End, Kind, Outbound, Owner, Policy, Reason, Receipt, Route, SendState
from cs_bot.settings import DeliverSettings, Settings
from cs_bot.signals import drawn
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import audits, conversations, messages, outbound
from cs_bot.store.queries import turns as queries
from cs_bot.store.queries.sql import changed

Refetch = Callable[[Transaction, dict[str, Any]], str]
Channels = Mapping[tuple[str, str], Channel]
ASKS = (Reason.REVIEW_OPEN, Reason.STALE, Reason.TAKEN_OVER)  # the last, and given back: a person may have answered
LOOK_UP_FOR = 10  # a platform that can't say where a message is gets this many settle times


@dataclass(frozen=True)
class Claimed:
    """A row in state `sending`, committed before the call."""

    row_id: int
    outbound: Outbound


def send_next(
    database: Database, *, channels: Channels, settings: Settings, policy: Policy, refetch: Refetch
) -> Receipt | None:
    """Send the next row that may be sent; None when there is none.

    `refetch` fetches a reply's facts again and returns their fingerprint (ground.refetch_fingerprint).
    """
    began = time.monotonic()
    claimed = claim(database, settings=settings, policy=policy, refetch=refetch)
    return None if claimed is None else send(database, claimed, began, channels=channels, settings=settings)


def send(database: Database, claimed: Claimed, began: float, *, channels: Channels, settings: Settings) -> Receipt:
    """Make the call of a row whose `sending` is committed, and record what came of it (T5).

    `began` is when the claim began (time.monotonic).
    """
    channel = channels.get((claimed.outbound.channel, claimed.outbound.account))
    if time.monotonic() - began > settings.deliver.timeout_s:  # frozen meanwhile: others may have settled the row
        receipt = Receipt(state=SendState.NOT_SENT, detail="too late to send")
    elif channel is None:
        receipt = Receipt(state=SendState.FAILED, detail="account not configured")
    else:
        receipt = channel.send(claimed.outbound)
    record(database, claimed.row_id, claimed.outbound.send_token, receipt, settings=settings)
    return receipt


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
    return Claimed(row["id"], _outbound(conversation, row, burst, token))


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
        _ask_a_person(tx, conversation, row, Reason.DELIVERY_UNKNOWN, settings)
        return
    outbound.cancel(tx, row["id"], "cancelled", reason)
    if conversation["owner"] == Owner.OUTSIDE:
        messages.end(tx, messages.of_turn(row["turn_id"]), End.HANDED_OVER, Reason.TAKEN_OVER)
    elif conversation["owner"] == Owner.DESK or reason in ASKS:
        _ask_a_person(tx, conversation, row, reason, settings)
    else:  # facts or modes changed, or a message revoked: answer what is open anew
        turns.send_back(tx, conversation, row["turn_id"])


def _ask_a_person(tx: Transaction, conversation: Row, row: Row, reason: Reason, settings: Settings) -> None:
    if not messages.count_open(tx, _answers(row)):
        return
    if row["kind"] == "reply":
        turns.ask_a_person(tx, conversation, turn_id=row["turn_id"], reasons=[reason], settings=settings)
        return
    review_id = turns.hold(tx, conversation, turn_id=row["turn_id"], reasons=[reason], due_s=settings.review.due_s)
    if row["review_id"] is not None and row["review_id"] != review_id:
        messages.change_review(tx, row["review_id"], review_id)


def _answers(row: Row) -> Any:
    """The messages that a row answers."""
    if row["review_id"] is not None:
        return messages.of_review(row["review_id"])
    return messages.of_turn(row["turn_id"] if row["turn_id"] is not None else -1)


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


ENDS = {"reply": End.BOT, "agent": End.PERSON, "handoff": End.HANDED_OVER}


def record(database: Database, row_id: int, token: str | None, receipt: Receipt, *, settings: Settings) -> bool:
    """Write what is known of an attempt (T5); False when another attempt has taken over."""
    rules = settings.deliver
    with database.write() as tx:
        conversation = conversations.lock_of_outbound(tx, row_id)
        row = outbound.get(tx, row_id)
        if conversation is None or row is None:
            return False
        if not outbound.settle(tx, row_id, token, **_outcome(tx, row, receipt, rules)):
            return False
        changed(tx, "conversation", conversation["id"])
        _count(tx, conversation, receipt, rules)
        if receipt.state is SendState.SENT:
            if row["kind"] in ENDS:
                messages.end(tx, _answers(row), ENDS[row["kind"]])
            if row["kind"] == "reply":
                _maybe_audit(tx, row["turn_id"])
        elif receipt.state is SendState.FAILED or (
            receipt.state is SendState.NOT_SENT and row["attempts"] >= rules.max_attempts
        ):
            _ask_a_person(tx, conversation, row, Reason.DELIVERY_FAILED, settings)
    return True


def _maybe_audit(tx: Transaction, turn_id: int) -> None:
    """Put a reply that was sent alone aside for a blind audit, if the draw takes it."""
    found = queries.latest_decision(tx, turn_id)
    decision = None if found is None else queries.as_decision(found)
    if found is not None and decision is not None and decision.audit_rate and drawn(turn_id, decision.audit_rate):
        audits.put_aside(tx, turn_id, found["id"], decision)


def _outcome(tx: Transaction, row: Row, receipt: Receipt, rules: DeliverSettings) -> dict[str, Any]:
    detail = {"detail": receipt.detail[:200]}
    if receipt.state is SendState.SENT:
        return {"state": "sent", "provider_id": receipt.provider_id, "sent_at": tx.now(), **detail}
    if receipt.state is SendState.UNKNOWN:
        return {"state": "unknown", "maybe_sent": True, **detail}
    if receipt.state is SendState.FAILED or row["attempts"] >= rules.max_attempts:
        return {"state": "undetermined" if row["maybe_sent"] else "failed", **detail}
    wait = receipt.retry_after_s if receipt.retry_after_s is not None else backoff(row["attempts"], rules)
    return {"state": "pending", "due_at": tx.now() + timedelta(seconds=wait), **detail}


def backoff(attempts: int, rules: DeliverSettings) -> float:
    """Seconds to wait, full jitter: uniform in 0 .. first * 2^(attempts - 1), bounded."""
    return random.uniform(0, min(rules.backoff_at_most_s, rules.backoff_s * 2.0 ** (attempts - 1)))


def _count(tx: Transaction, conversation: Row, receipt: Receipt, rules: DeliverSettings) -> None:
    key = (conversation["channel"], conversation["account"])
    if receipt.state is SendState.SENT or receipt.state is SendState.FAILED:
        outbound.account_worked(tx, *key)  # a refusal is an answer: the platform is up
    else:
        outbound.account_failed(tx, *key, failures=rules.breaker_failures, pause_s=rules.breaker_pause_s)


def sweep(database: Database, *, channels: Channels, settings: Settings) -> int:
    """Settle the unknown (upkeep): same key again, a look at the platform, or a person; how many were touched."""
    rules = settings.deliver
    with database.write() as tx:
        outbound.give_up_sending(tx, older_than_s=2 * rules.timeout_s)
        rows = outbound.unknown(tx, older_than_s=rules.settle_s)
        now = tx.now()
    for row in rows:
        too_old = (now - row["sending_since"]).total_seconds() > rules.settle_s * LOOK_UP_FOR
        _settle(database, row, channels.get((row["channel"], row["account"])), too_old, settings)
    return len(rows)


def _settle(database: Database, row: Row, channel: Channel | None, too_old: bool, settings: Settings) -> None:
    rules = settings.deliver
    exhausted = row["attempts"] >= rules.max_attempts
    if channel is not None and channel.caps.can_look_up:
        seen = channel.look_up(row["outbound_id"])
        if seen is not None and seen.state is SendState.SENT:
            record(database, row["id"], row["send_token"], seen, settings=settings)
            return
        if seen is not None and seen.state is SendState.NOT_SENT and not exhausted:
            _again(database, row, rules, maybe_sent=False)
            return
        if seen is None and not too_old:
            return
    if channel is not None and channel.caps.idempotent_send and not exhausted:
        _again(database, row, rules, maybe_sent=True)
        return
    with database.write() as tx:
        conversation = conversations.lock(tx, row["conversation_id"])
        if outbound.settle(tx, row["id"], row["send_token"], state="undetermined"):
            _ask_a_person(tx, conversation, row, Reason.DELIVERY_UNKNOWN, settings)
            changed(tx, "conversation", conversation["id"])


def _again(database: Database, row: Row, rules: DeliverSettings, *, maybe_sent: bool) -> None:
    with database.write() as tx:
        due_at = tx.now() + timedelta(seconds=backoff(row["attempts"], rules))
        outbound.settle(tx, row["id"], row["send_token"], state="pending", due_at=due_at, maybe_sent=maybe_sent)


def seconds_until_due(database: Database) -> float | None:
    """How long until a row is due; None when none waits."""
    with database.read() as tx:
        due_at = outbound.next_due_at(tx)
        return None if due_at is None else max(0.0, (due_at - tx.now()).total_seconds())
