"""Conversations: arrival, lease and fence, owner."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select, true, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import Owner
from cs_bot.store.database import Transaction
from cs_bot.store.queries.hashed import hashed_id
from cs_bot.store.queries.sql import built, insert, insert_for
from cs_bot.store.tables import UtcTime, conversations, customers, messages, outbound, reviews, revocations

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


@built
def _surroundings(
    conversation_id: int,
    channel: str,
    account: str,
    message: str,
    customer: str,
    hashed_message: str,
    hashed_conversation: str,
) -> Any:
    review = reviews.c.conversation_id == conversation_id, reviews.c.state == "open"
    revoked = (
        revocations.c.channel == channel,
        revocations.c.account == account,
        revocations.c.external_id == message,
    )
    forgotten = messages.c.channel == channel, messages.c.account == account, messages.c.external_id == hashed_message
    writer = and_(customers.c.channel == channel, customers.c.account == account, customers.c.external_id == customer)
    before = conversations.alias("before")
    itself_before = and_(
        before.c.channel == channel, before.c.account == account, before.c.external_id == hashed_conversation
    )
    return select(
        select(reviews.c.id).where(*review).scalar_subquery().label("open_review_id"),
        select(revocations.c.revoked_at).where(*revoked).scalar_subquery().label("revoked_at"),
        select(messages.c.id).where(*forgotten).scalar_subquery().label("forgotten_id"),
        before.c.owner.label("owner_before"),
        before.c.owner_changed_at.label("owner_changed_before"),
        *(customers.c[name] for name in ("id", "name", "emails", "phones")),
    ).select_from(select(true()).subquery().outerjoin(customers, writer).outerjoin(before, itself_before))


class Arrived(NamedTuple):
    """A conversation's row, locked, and what a new message finds there."""

    row: RowMapping
    open_review_id: int | None
    revoked_at: datetime | None  # the message's revoke came first
    forgotten: bool  # the message was here before, and only its hash is left
    customer: RowMapping | None  # who wrote it, when known already


def arrive(tx: Transaction, channel: str, account: str, external_id: str, message: str, customer: str) -> Arrived:
    """As open_and_lock, with the next number taken: next_seq - 1 is this message's (a repeated one leaves a gap).

    The look around is a statement of its own: one that waited for the lock still sees what was before its wait.
    """
    key = {"channel": channel, "account": account}
    row = tx.execute(_arrival(tx.dialect), {**key, "external_id": external_id, "now": tx.now()}).mappings().one()
    hashed = (hashed_id(channel, account, name) for name in (message, external_id))
    around = _surroundings(row["id"], channel, account, message, customer, *hashed)
    found = tx.execute(around).mappings().one()
    if row["next_seq"] == NEW and row["owner_changed_at"] is None:
        row = _as_before_it_was_forgotten(tx, row, found)
    customer_row = found if found["id"] is not None else None
    return Arrived(row, found["open_review_id"], found["revoked_at"], found["forgotten_id"] is not None, customer_row)


def _as_before_it_was_forgotten(tx: Transaction, row: RowMapping, found: RowMapping) -> RowMapping:
    """A customer's deletion must not give a conversation back to the bot that a person has taken over.

    Nor may a repeated message bring the conversation's id back.
    """
    if found["forgotten_id"] is not None:
        tx.execute(delete(conversations).where(conversations.c.id == row["id"]))
    elif found["owner_before"] is not None and found["owner_before"] != Owner.BOT:
        set_owner(tx, row, Owner(found["owner_before"]), found["owner_changed_before"])
        return get(tx, row["id"])
    return row


@built
def _set_due(conversation_id: int, due_at: datetime, started: datetime, now: datetime) -> Any:
    of = conversations.c.id == conversation_id
    return update(conversations).where(of).values(due_at=due_at, burst_started_at=started, updated_at=now)


def set_due(tx: Transaction, conversation_id: int, due_at: datetime, started: datetime) -> None:
    """When the waiting burst is to be answered."""
    tx.execute(_set_due(conversation_id, due_at, started, tx.now()))


@built
def _lock(conversation_id: int) -> Any:
    return select(conversations).where(conversations.c.id == conversation_id).with_for_update()


def lock(tx: Transaction, conversation_id: int) -> RowMapping:
    """The conversation's row, locked. Every transaction that touches several tables of a conversation starts here."""
    row = tx.row(_lock(conversation_id))
    assert row is not None
    return row


@built
def _lock_of_outbound(row_id: int) -> Any:
    its = select(outbound.c.conversation_id).where(outbound.c.id == row_id).scalar_subquery()
    return select(conversations).where(conversations.c.id == its).with_for_update()


def lock_of_outbound(tx: Transaction, row_id: int) -> RowMapping | None:
    """The conversation of a row of the outbox, locked; None when there is no such row."""
    return tx.row(_lock_of_outbound(row_id))


def get(tx: Transaction, conversation_id: int) -> RowMapping:
    """The row, not locked."""
    row = tx.row(select(conversations).where(conversations.c.id == conversation_id))
    assert row is not None
    return row


def exists(tx: Transaction, conversation_id: int) -> bool:
    """Whether there is such a conversation."""
    return tx.row(select(conversations.c.id).where(conversations.c.id == conversation_id)) is not None


@built
def _try_lock(conversation_id: int) -> Any:
    return select(conversations).where(conversations.c.id == conversation_id).with_for_update(skip_locked=True)


def try_lock(tx: Transaction, conversation_id: int) -> RowMapping | None:
    """The row, locked, or None when another transaction holds it now."""
    return tx.row(_try_lock(conversation_id))


def change(tx: Transaction, conversation_id: int, **values: Any) -> None:
    """Set columns of a row that this transaction has locked."""
    tx.execute(update(conversations).where(conversations.c.id == conversation_id).values(updated_at=tx.now(), **values))


def _can_be_claimed(now: datetime) -> ColumnElement[bool]:
    lost = conversations.c.lease_until < now
    ready = and_(conversations.c.lease_until.is_(None), conversations.c.due_at <= now)
    return or_(lost, ready)


@built
def _due(now: datetime, limit: int) -> Any:
    return (
        select(conversations)
        .where(_can_be_claimed(now))
        .order_by(func.coalesce(conversations.c.lease_until, conversations.c.due_at), conversations.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def due(tx: Transaction, limit: int) -> Sequence[RowMapping]:
    """Conversations to work on, oldest first: due and free, or with a lost lease. Locked; others' are skipped."""
    return tx.rows(_due(tx.now(), limit))


@built
def _any_due(now: datetime) -> Any:
    return select(conversations.c.id).where(_can_be_claimed(now)).limit(1)


def any_due(tx: Transaction) -> bool:
    """Whether a conversation can be claimed now (a lost lease counts)."""
    return tx.row(_any_due(tx.now())) is not None


@built
def _next_due_at() -> Any:
    waiting = conversations.c.due_at.is_not(None), conversations.c.lease_until.is_(None)
    return select(func.min(conversations.c.due_at)).where(*waiting)


def next_due_at(tx: Transaction) -> datetime | None:
    """When the next conversation will be due (leases that may get lost not counted)."""
    found: datetime | None = tx.value(_next_due_at())
    return found


@built
def _lease(conversation_id: int, until: datetime) -> Any:
    return (
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(fence=conversations.c.fence + 1, lease_until=until, due_at=None, burst_started_at=None)
        .returning(conversations.c.fence)
    )


def lease(tx: Transaction, conversation_id: int, lease_s: float) -> int:
    """Take the lease of a locked row; the new fence."""
    return int(tx.value(_lease(conversation_id, tx.now() + timedelta(seconds=lease_s))))


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


@built
def _give_lease_back(conversation_id: int, fence: int, now: datetime) -> Any:
    return (
        update(conversations)
        .where(
            conversations.c.id == conversation_id,
            conversations.c.fence == fence,
            conversations.c.lease_until.is_not(None),
        )
        .values(lease_until=None, updated_at=now)
        .returning(*conversations.c)
    )


def give_lease_back(tx: Transaction, conversation_id: int, fence: int) -> RowMapping | None:
    """End a lease in order; the row, locked, or None when the fence has moved on: the work must be thrown away."""
    return tx.row(_give_lease_back(conversation_id, fence, tx.now()))


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
