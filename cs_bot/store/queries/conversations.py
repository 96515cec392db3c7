"""Conversations: arrival, lease and fence, owner."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import Owner
from cs_bot.store.database import Transaction
from cs_bot.store.queries.hashed import hashed_id
from cs_bot.store.queries.sql import insert, insert_for
from cs_bot.store.tables import UtcTime, conversations, messages, reviews, revocations

NEW = 2  # next_seq of a conversation whose first message is arriving


def open_and_lock(tx: Transaction, channel: str, account: str, external_id: str) -> RowMapping:
    """The conversation's row, made when new, locked until the transaction ends."""
    now = tx.now()
    statement = insert(tx, conversations).values(
        channel=channel, account=account, external_id=external_id, created_at=now, updated_at=now
    )
    statement = statement.on_conflict_do_update(
        index_elements=["channel", "account", "external_id"], set_={"updated_at": now}
    )
    row = tx.row(statement.returning(*conversations.c))
    assert row is not None
    return row


@cache
def _arrival(dialect: str) -> Any:
    now = bindparam("now", type_=UtcTime)
    key: dict[str, Any] = {name: bindparam(name) for name in ("channel", "account", "external_id")}
    return (
        insert_for(dialect, conversations)
        .values(**key, created_at=now, updated_at=now, next_seq=NEW)
        .on_conflict_do_update(
            index_elements=["channel", "account", "external_id"],
            set_={"updated_at": now, "next_seq": conversations.c.next_seq + 1},
        )
        .returning(*conversations.c)
    )


@cache
def _surroundings() -> Any:
    review = reviews.c.conversation_id == bindparam("conversation"), reviews.c.state == "open"
    revoked = (
        revocations.c.channel == bindparam("channel"),
        revocations.c.account == bindparam("account"),
        revocations.c.external_id == bindparam("message"),
    )
    forgotten = (
        messages.c.channel == bindparam("channel"),
        messages.c.account == bindparam("account"),
        messages.c.external_id == bindparam("hashed"),
    )
    return select(
        select(reviews.c.id).where(*review).scalar_subquery().label("open_review_id"),
        select(revocations.c.revoked_at).where(*revoked).scalar_subquery().label("revoked_at"),
        select(messages.c.id).where(*forgotten).scalar_subquery().label("forgotten_id"),
    )


class Arrived(NamedTuple):
    """A conversation's row, locked, and what a new message finds there."""

    row: RowMapping
    open_review_id: int | None
    revoked_at: datetime | None  # the message's revoke came first
    forgotten: bool  # the message was here before, and only its hash is left


def arrive(tx: Transaction, channel: str, account: str, external_id: str, message: str) -> Arrived:
    """As open_and_lock, with the next number taken: next_seq - 1 is this message's (a repeated one leaves a gap).

    The look around is a statement of its own: one that waited for the lock still sees what was before its wait.
    """
    key = {"channel": channel, "account": account}
    row = tx.execute(_arrival(tx.dialect), {**key, "external_id": external_id, "now": tx.now()}).mappings().first()
    assert row is not None
    names = {"message": message, "hashed": hashed_id(channel, account, message)}
    found = tx.execute(_surroundings(), {**key, "conversation": row["id"], **names}).one()
    forgotten = found.forgotten_id is not None
    if row["next_seq"] == NEW and row["owner_changed_at"] is None:
        row = _as_before_it_was_forgotten(tx, row, forgotten=forgotten)
    return Arrived(row, found.open_review_id, found.revoked_at, forgotten)


def _as_before_it_was_forgotten(tx: Transaction, row: RowMapping, *, forgotten: bool) -> RowMapping:
    """A customer's deletion must not give a conversation back to the bot that a person has taken over.

    Nor may a repeated message bring the conversation's id back.
    """
    before = tx.row(
        select(conversations.c.owner, conversations.c.owner_changed_at).where(
            conversations.c.channel == row["channel"],
            conversations.c.account == row["account"],
            conversations.c.external_id == hashed_id(row["channel"], row["account"], row["external_id"]),
        )
    )
    if forgotten:
        tx.execute(delete(conversations).where(conversations.c.id == row["id"]))
    elif before is not None and before["owner"] != Owner.BOT:
        set_owner(tx, row, Owner(before["owner"]), before["owner_changed_at"])
        return get(tx, row["id"])
    return row


@cache
def _set_due() -> Any:
    return (
        update(conversations)
        .where(conversations.c.id == bindparam("conversation"))
        .values(
            due_at=bindparam("due", type_=UtcTime),
            burst_started_at=bindparam("started", type_=UtcTime),
            updated_at=bindparam("now", type_=UtcTime),
        )
    )


def set_due(tx: Transaction, conversation_id: int, due_at: datetime, started: datetime) -> None:
    """When the waiting burst is to be answered."""
    values = {"conversation": conversation_id, "due": due_at, "started": started, "now": tx.now()}
    tx.execute(_set_due(), values)


def lock(tx: Transaction, conversation_id: int) -> RowMapping:
    """The conversation's row, locked. Every transaction that touches several tables of a conversation starts here."""
    row = tx.row(select(conversations).where(conversations.c.id == conversation_id).with_for_update())
    assert row is not None
    return row


def get(tx: Transaction, conversation_id: int) -> RowMapping:
    """The row, not locked."""
    row = tx.row(select(conversations).where(conversations.c.id == conversation_id))
    assert row is not None
    return row


def exists(tx: Transaction, conversation_id: int) -> bool:
    """Whether there is such a conversation."""
    return tx.row(select(conversations.c.id).where(conversations.c.id == conversation_id)) is not None


def try_lock(tx: Transaction, conversation_id: int) -> RowMapping | None:
    """The row, locked, or None when another transaction holds it now."""
    return tx.row(select(conversations).where(conversations.c.id == conversation_id).with_for_update(skip_locked=True))


def change(tx: Transaction, conversation_id: int, **values: Any) -> None:
    """Set columns of a row that this transaction has locked."""
    tx.execute(update(conversations).where(conversations.c.id == conversation_id).values(updated_at=tx.now(), **values))


def due(tx: Transaction, limit: int) -> Sequence[RowMapping]:
    """Conversations to work on, oldest first: due and free, or with a lost lease. Locked; others' are skipped."""
    now = tx.now()
    lost = conversations.c.lease_until < now
    ready = and_(conversations.c.lease_until.is_(None), conversations.c.due_at <= now)
    return tx.rows(
        select(conversations)
        .where(or_(lost, ready))
        .order_by(func.coalesce(conversations.c.lease_until, conversations.c.due_at), conversations.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def any_due(tx: Transaction) -> bool:
    """Whether a conversation can be claimed now (a lost lease counts)."""
    now = tx.now()
    lost = conversations.c.lease_until < now
    ready = and_(conversations.c.lease_until.is_(None), conversations.c.due_at <= now)
    return tx.row(select(conversations.c.id).where(or_(lost, ready)).limit(1)) is not None


def next_due_at(tx: Transaction) -> datetime | None:
    """When the next conversation will be due (leases that may get lost not counted)."""
    found: datetime | None = tx.value(
        select(func.min(conversations.c.due_at)).where(conversations.c.lease_until.is_(None))
    )
    return found


def lease(tx: Transaction, conversation_id: int, lease_s: float) -> int:
    """Take the lease of a locked row; the new fence."""
    fence = tx.value(
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(
            fence=conversations.c.fence + 1,
            lease_until=tx.now() + timedelta(seconds=lease_s),
            due_at=None,
            burst_started_at=None,
        )
        .returning(conversations.c.fence)
    )
    return int(fence)


def renew(tx: Transaction, conversation_id: int, fence: int, lease_s: float) -> bool:
    """Prolong a lease that is still ours."""
    return tx.changed(
        update(conversations)
        .where(
            conversations.c.id == conversation_id,
            conversations.c.fence == fence,
            conversations.c.lease_until.is_not(None),
        )
        .values(lease_until=tx.now() + timedelta(seconds=lease_s))
    )


def give_lease_back(tx: Transaction, conversation_id: int, fence: int) -> bool:
    """End a lease in order; False when the fence has moved on (the caller must throw its work away)."""
    return tx.changed(
        update(conversations)
        .where(
            conversations.c.id == conversation_id,
            conversations.c.fence == fence,
            conversations.c.lease_until.is_not(None),
        )
        .values(lease_until=None, updated_at=tx.now())
    )


def set_owner(tx: Transaction, row: RowMapping, owner: Owner, at: datetime | None = None) -> bool:
    """Change who speaks; False when a newer change is known already (events arrive in any order).

    `at` is the platform's time of the event. Without it the change is our own: it is made now and always counts, also
    when the platform's clock runs ahead.
    """
    known = row["owner_changed_at"]
    if at is None:
        at = tx.now() if known is None else max(tx.now(), known)
    elif known is not None and at < known:
        return False
    change(tx, row["id"], owner=owner, owner_changed_at=at, epoch=conversations.c.epoch + 1)
    return True
