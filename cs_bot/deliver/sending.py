"""The call to the platform, and what came of it (T5)."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cs_bot.channels.base import Channel
from cs_bot.deliver.claiming import Claimed, Refetch, answers, ask_a_person, backoff, claim
from cs_bot.records import End, Policy, Reason, Receipt, SendState
from cs_bot.settings import DeliverSettings, Settings
from cs_bot.signals import drawn
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import audits, conversations, messages, outbound
from cs_bot.store.queries import turns as queries
from cs_bot.store.queries.sql import changed

Channels = Mapping[tuple[str, str], Channel]


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
                messages.end(tx, answers(row), ENDS[row["kind"]])
            if row["kind"] == "reply":
                _maybe_audit(tx, row["turn_id"])
        elif receipt.state is SendState.FAILED or (
            receipt.state is SendState.NOT_SENT and row["attempts"] >= rules.max_attempts
        ):
            ask_a_person(tx, conversation, row, Reason.DELIVERY_FAILED, settings)
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


def _count(tx: Transaction, conversation: Row, receipt: Receipt, rules: DeliverSettings) -> None:
    key = (conversation["channel"], conversation["account"])
    if receipt.state is SendState.SENT or receipt.state is SendState.FAILED:
        outbound.account_worked(tx, *key)  # a refusal is an answer: the platform is up
    else:
        outbound.account_failed(tx, *key, failures=rules.breaker_failures, pause_s=rules.breaker_pause_s)
