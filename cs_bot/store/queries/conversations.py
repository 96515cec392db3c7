"""Conversations: arrival, lease and fence, owner."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import Owner
from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import built, insert
from cs_bot.store.tables import UtcTime, conversations, outbound


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


_SET_DUE = (
    update(conversations)
    .where(conversations.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        due_at=bindparam("due", type_=UtcTime),
        burst_started_at=bindparam("started", type_=UtcTime),
        updated_at=bindparam("now", type_=UtcTime),
    )
)


def set_due(tx: Transaction, conversation_ids: Collection[int], due_at: datetime, started: datetime) -> None:
    """When the waiting bursts of conversations that this transaction has locked are to be answered."""
    tx.execute(_SET_DUE, {"ids": list(conversation_ids), "due": due_at, "started": started, "now": tx.now()})


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


def can_be_claimed(tx: Transaction, row: RowMapping) -> bool:
    """Whether a row that this transaction has locked is due and free, or has a lost lease."""
    if row["lease_until"] is not None:
        return bool(row["lease_until"] < tx.now())
    return row["due_at"] is not None and row["due_at"] <= tx.now()


@built
def _due_since(moment: datetime, limit: int) -> Any:
    waiting = conversations.c.lease_until.is_(None), conversations.c.due_at < moment
    return select(conversations.c.id).where(*waiting).order_by(conversations.c.due_at).limit(limit)


def due_since(tx: Transaction, age_s: float, limit: int = 20) -> list[int]:
    """Ids of conversations that have been due for longer than that without a claim, longest first."""
    return list(tx.execute(_due_since(tx.now() - timedelta(seconds=age_s), limit)).scalars())


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
