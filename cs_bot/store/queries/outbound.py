"""The outbox: what is to be sent, what is being sent, what is known of it."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import built, insert, insert_for, said
from cs_bot.store.tables import accounts_seen, conversations, outbound, reviews

UNDELIVERED = ("pending", "sending", "unknown")


def _undelivered() -> ColumnElement[bool]:
    """As ix_outbound_undelivered says it."""
    return outbound.c.state.in_([said(state) for state in UNDELIVERED])


@cache
def _new(dialect: str) -> Any:
    """One row; its values come with the execution."""
    return insert_for(dialect, outbound).on_conflict_do_nothing(index_elements=["conversation_id", "origin", "part"])


def add(tx: Transaction, *, conversation_id: int, origin: str, kind: str, text: str, epoch: int, **values: Any) -> None:
    """Queue a message to the platform. The same (conversation, origin, part) is queued once, whatever happens.

    The caller has locked the conversation, so ids follow the order of the conversation.
    """
    row = {
        "outbound_id": f"out_{uuid4().hex}",
        "conversation_id": conversation_id,
        "origin": origin,
        "kind": kind,
        "text": text,
        "epoch": epoch,
        "state": "pending",
        "created_at": tx.now(),
    }
    tx.execute(_new(tx.dialect), {**row, "due_at": tx.now(), "extra": {}, "facts": {}, **values})


@built
def _candidates(now: datetime, limit: int) -> Any:
    earlier = outbound.alias("earlier")
    paused = exists().where(
        accounts_seen.c.channel == conversations.c.channel,
        accounts_seen.c.account == conversations.c.account,
        accounts_seen.c.paused_until > now,
    )
    blocked = exists().where(
        earlier.c.conversation_id == outbound.c.conversation_id,
        earlier.c.id < outbound.c.id,
        earlier.c.state.in_(UNDELIVERED),
    )
    return (
        select(outbound.c.id, outbound.c.conversation_id)
        .join(conversations, conversations.c.id == outbound.c.conversation_id)
        .where(outbound.c.state == said("pending"), outbound.c.due_at <= now, ~blocked, ~paused)
        .order_by(outbound.c.due_at, outbound.c.id)
        .limit(limit)
    )


def candidates(tx: Transaction, limit: int) -> Sequence[RowMapping]:
    """Rows that may be sent now: due, the oldest undelivered of their conversation, account not paused."""
    return tx.rows(_candidates(tx.now(), limit))


@built
def _head(conversation_id: int) -> Any:
    review = reviews.c.conversation_id == conversation_id, reviews.c.state == "open"
    account = and_(
        accounts_seen.c.channel == conversations.c.channel, accounts_seen.c.account == conversations.c.account
    )
    return (
        select(
            outbound,
            select(reviews.c.id).where(*review).scalar_subquery().label("open_review_id"),
            func.coalesce(accounts_seen.c.send_failures, 0).label("send_failures"),
            accounts_seen.c.paused_until,
        )
        .join(conversations, conversations.c.id == outbound.c.conversation_id)
        .outerjoin(accounts_seen, account)
        .where(outbound.c.conversation_id == conversation_id, outbound.c.state.in_(UNDELIVERED))
        .order_by(outbound.c.id)
        .limit(1)
    )


def head(tx: Transaction, conversation_id: int) -> RowMapping | None:
    """The oldest undelivered row of a locked conversation, its open review, and how its account's sends go."""
    return tx.row(_head(conversation_id))


@built
def _start_sending(row_id: int, token: str, now: datetime) -> Any:
    return (
        update(outbound)
        .where(outbound.c.id == row_id)
        .values(state="sending", send_token=token, attempts=outbound.c.attempts + 1, sending_since=now)
    )


def start_sending(tx: Transaction, row_id: int) -> str:
    """pending -> sending; the token that the outcome must show."""
    token = secrets.token_hex(16)
    tx.execute(_start_sending(row_id, token, tx.now()))
    return token


def settle(tx: Transaction, row_id: int, token: str | None, **values: Any) -> bool:
    """Write an outcome; False when another attempt has taken over or it is settled."""
    return tx.changed(
        update(outbound)
        .where(outbound.c.id == row_id, outbound.c.send_token == token, outbound.c.state.in_(["sending", "unknown"]))
        .values(**values)
    )


def cancel(tx: Transaction, row_id: int, state: str, detail: str) -> None:
    """Take a pending row out of the queue."""
    tx.execute(
        update(outbound)
        .where(outbound.c.id == row_id, outbound.c.state == "pending")
        .values(state=state, detail=detail)
    )


def put_off(tx: Transaction, row_id: int, *, due_at: datetime, detail: str) -> None:
    """A pending row could not be claimed: that was an attempt, it is due again later."""
    tx.execute(
        update(outbound)
        .where(outbound.c.id == row_id, outbound.c.state == "pending")
        .values(attempts=outbound.c.attempts + 1, due_at=due_at, detail=detail)
    )


def cancel_replies(tx: Transaction, conversation_id: int, detail: str) -> list[int]:
    """Take the bot's replies that were surely not sent out of the queue; the turns that they were of."""
    cancelled = tx.execute(
        update(outbound)
        .where(outbound.c.conversation_id == conversation_id, _undelivered())
        .where(outbound.c.kind == "reply", outbound.c.state == "pending", outbound.c.maybe_sent.is_(False))
        .values(state="cancelled", detail=detail)
        .returning(outbound.c.turn_id)
    )
    return [int(turn_id) for turn_id in cancelled.scalars()]


def give_up_sending(tx: Transaction, older_than_s: float) -> int:
    """sending for too long = the sender died: the outcome is unknown."""
    since = tx.now() - timedelta(seconds=older_than_s)
    return tx.execute(
        update(outbound)
        .where(_undelivered(), outbound.c.state == "sending", outbound.c.sending_since < since)
        .values(state="unknown", maybe_sent=True, detail="sender died")
    ).rowcount


def unknown(tx: Transaction, older_than_s: float, limit: int = 20) -> Sequence[RowMapping]:
    """Rows whose outcome is unknown for long enough to be settled: the oldest of each account, then the next ones."""
    since = tx.now() - timedelta(seconds=older_than_s)
    age = outbound.c.sending_since, outbound.c.id
    account = conversations.c.channel, conversations.c.account
    return tx.rows(
        select(outbound, conversations.c.channel, conversations.c.account)
        .join(conversations, conversations.c.id == outbound.c.conversation_id)
        .where(_undelivered(), outbound.c.state == "unknown", outbound.c.sending_since < since)
        .order_by(func.row_number().over(partition_by=account, order_by=age), *age)
        .limit(limit)
    )


@built
def _get(row_id: int) -> Any:
    return select(outbound).where(outbound.c.id == row_id)


def get(tx: Transaction, row_id: int) -> RowMapping | None:
    """One row."""
    return tx.row(_get(row_id))


def is_ours(tx: Transaction, conversation_id: int, outbound_id: str | None, text: str, window_s: float) -> bool:
    """Whether a message that came in is the echo of one that we sent."""
    since = tx.now() - timedelta(seconds=window_s)
    waits_again = and_(outbound.c.state == "pending", outbound.c.maybe_sent)
    same_text = and_(
        outbound.c.conversation_id == conversation_id,
        outbound.c.text == text,
        or_(outbound.c.state.in_(["sending", "unknown", "undetermined", "sent"]), waits_again),
        func.coalesce(outbound.c.sent_at, outbound.c.sending_since, outbound.c.created_at) >= since,
        outbound.c.forgotten_at.is_(None),
    )
    return bool(tx.value(select(exists().where(or_(outbound.c.outbound_id == (outbound_id or ""), same_text)))))


def has_undelivered(tx: Transaction, turn_id: int) -> bool:
    """Whether a turn has a row that may still be delivered."""
    return bool(tx.value(select(exists().where(outbound.c.turn_id == turn_id, outbound.c.state.in_(UNDELIVERED)))))


def any_due(tx: Transaction) -> bool:
    """Whether a pending row is due."""
    due = (outbound.c.state == said("pending")) & (outbound.c.due_at <= tx.now())
    return tx.row(select(outbound.c.id).where(due).limit(1)) is not None


@built
def _next_due_at() -> Any:
    return select(func.min(outbound.c.due_at)).where(outbound.c.state == said("pending"))


def next_due_at(tx: Transaction) -> datetime | None:
    """When the next pending row is due."""
    found: datetime | None = tx.value(_next_due_at())
    return found


def account_failed(tx: Transaction, channel: str, account: str, *, failures: int, pause_s: float) -> None:
    """Count a failed send; at `failures` in a row the account pauses, then one trial at a time."""
    now = tx.now()
    new = insert(tx, accounts_seen).values(
        channel=channel, account=account, first_seen_at=now, last_seen_at=now, send_failures=1
    )
    counted = new.on_conflict_do_update(
        index_elements=["channel", "account"], set_={"send_failures": accounts_seen.c.send_failures + 1}
    )
    if tx.value(counted.returning(accounts_seen.c.send_failures)) >= failures:
        key: ColumnElement[bool] = (accounts_seen.c.channel == channel) & (accounts_seen.c.account == account)
        tx.execute(update(accounts_seen).where(key).values(paused_until=now + timedelta(seconds=pause_s)))


def start_trial(tx: Transaction, channel: str, account: str, *, failures: int, pause_s: float) -> None:
    """When the breaker is half open this send is the one trial; others wait for its outcome."""
    tx.execute(
        update(accounts_seen)
        .where(
            accounts_seen.c.channel == channel,
            accounts_seen.c.account == account,
            accounts_seen.c.send_failures >= failures,
        )
        .values(paused_until=tx.now() + timedelta(seconds=pause_s))
    )


@built
def _account_worked(channel: str, account: str) -> Any:
    key = (accounts_seen.c.channel == channel) & (accounts_seen.c.account == account)
    return (
        update(accounts_seen).where(key, accounts_seen.c.send_failures > 0).values(send_failures=0, paused_until=None)
    )


def account_worked(tx: Transaction, channel: str, account: str) -> None:
    """A send arrived: the breaker closes."""
    tx.execute(_account_worked(channel, account))
