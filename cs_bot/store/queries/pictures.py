"""Pictures of messages: what is to fetch, what was fetched."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import PictureState, PictureUse, Reason
from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import insert
from cs_bot.store.tables import messages, picture_uses, pictures


def add_uses(tx: Transaction, message_id: int, sources: Sequence[str]) -> None:
    """Rows to fetch, due now."""
    rows = [
        {
            "message_id": message_id,
            "position": position,
            "source": source,
            "state": PictureState.WAITING.value,
            "due_at": tx.now(),
        }
        for position, source in enumerate(sources)
    ]
    if rows:
        tx.execute(picture_uses.insert(), rows)


def claim(tx: Transaction, *, lease_s: float, max_attempts: int) -> RowMapping | None:
    """The next picture to fetch, leased and with its attempt counted; None when nothing is due."""
    now = tx.now()
    row = tx.row(
        select(picture_uses)
        .where(
            picture_uses.c.due_at <= now,
            picture_uses.c.attempts < max_attempts,  # the picture may be what kills the workers
            or_(picture_uses.c.lease_until.is_(None), picture_uses.c.lease_until < now),
        )
        .order_by(picture_uses.c.due_at, picture_uses.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    tx.execute(
        update(picture_uses)
        .where(picture_uses.c.id == row["id"])
        .values(
            state=PictureState.FETCHING,
            attempts=picture_uses.c.attempts + 1,
            fence=picture_uses.c.fence + 1,
            lease_until=now + timedelta(seconds=lease_s),
        )
    )
    return tx.row(
        select(picture_uses, messages.c.conversation_id, messages.c.channel, messages.c.account)
        .join(messages, messages.c.id == picture_uses.c.message_id)
        .where(picture_uses.c.id == row["id"])
    )


def exhausted(tx: Transaction, attempts: int, limit: int = 50) -> Sequence[RowMapping]:
    """Rows whose worker died on every attempt: the picture may be what kills it."""
    return tx.rows(
        select(picture_uses, messages.c.conversation_id)
        .join(messages, messages.c.id == picture_uses.c.message_id)
        .where(
            picture_uses.c.due_at <= tx.now(),  # as it was when it was claimed; this finds the index
            picture_uses.c.attempts >= attempts,
            picture_uses.c.lease_until < tx.now(),
        )
        .limit(limit)
    )


def _mine(use_id: int, fence: int) -> Any:
    return (picture_uses.c.id == use_id) & (picture_uses.c.fence == fence) & picture_uses.c.due_at.is_not(None)


def retry_later(tx: Transaction, use_id: int, fence: int, delay_s: float, *, counted: bool = True) -> bool:
    """Try again after a while; not `counted`: the attempt was no fault of the picture."""
    return tx.changed(
        update(picture_uses)
        .where(_mine(use_id, fence))
        .values(
            state=PictureState.WAITING,
            attempts=picture_uses.c.attempts - (0 if counted else 1),
            lease_until=None,
            due_at=tx.now() + timedelta(seconds=delay_s),
        )
    )


def settle(tx: Transaction, use_id: int, fence: int, *, picture_id: int | None, failure: Reason | None) -> bool:
    """Fetched or given up; False when another worker has it now. The address is forgotten."""
    return tx.changed(
        update(picture_uses)
        .where(_mine(use_id, fence))
        .values(
            state=PictureState.READY if picture_id is not None else PictureState.FAILED,
            picture_id=picture_id,
            failure=failure,
            source=None,
            due_at=None,
            lease_until=None,
        )
    )


def store(tx: Transaction, **values: Any) -> int:
    """The picture's row, made when new; locked, so that retention does not remove it meanwhile."""
    new = insert(tx, pictures).values(stored_at=tx.now(), **values)
    kept = new.on_conflict_do_update(index_elements=["sha256"], set_={"sha256": new.excluded.sha256})
    return int(tx.value(kept.returning(pictures.c.id)))


def pixels_of(tx: Transaction, sha256: str) -> str | None:
    """The SHA-256 of a stored picture's pixels."""
    found: str | None = tx.value(select(pictures.c.pixels_sha256).where(pictures.c.sha256 == sha256))
    return found


_OF_MESSAGES = (
    select(picture_uses, pictures.c.sha256, pictures.c.pixels_sha256, pictures.c.tags)
    .outerjoin(pictures, pictures.c.id == picture_uses.c.picture_id)
    .where(picture_uses.c.message_id.in_(bindparam("message_ids", expanding=True)))
    .order_by(picture_uses.c.message_id, picture_uses.c.position)
)


def of_messages(tx: Transaction, message_ids: Sequence[int]) -> dict[int, tuple[PictureUse, ...]]:
    """Pictures by message id, in order."""
    if not message_ids:
        return {}
    rows = tx.execute(_OF_MESSAGES, {"message_ids": message_ids}).mappings()
    uses: dict[int, list[PictureUse]] = {}
    for row in rows:
        uses.setdefault(row["message_id"], []).append(
            PictureUse(
                picture_use_id=row["id"],
                message_id=row["message_id"],
                position=row["position"],
                state=PictureState(row["state"]),
                sha256=row["sha256"],
                pixels_sha256=row["pixels_sha256"],
                failure=Reason(row["failure"]) if row["failure"] else None,
                tags=tuple(row["tags"] or ()),
            )
        )
    return {message_id: tuple(found) for message_id, found in uses.items()}


def next_due_at(tx: Transaction) -> datetime | None:
    """When the next fetch is due."""
    found: datetime | None = tx.value(select(func.min(picture_uses.c.due_at)))
    return found


def any_due(tx: Transaction) -> bool:
    """Whether a picture can be claimed now (a lost lease counts)."""
    free = or_(picture_uses.c.lease_until.is_(None), picture_uses.c.lease_until < tx.now())
    return tx.row(select(picture_uses.c.id).where(picture_uses.c.due_at <= tx.now(), free).limit(1)) is not None
