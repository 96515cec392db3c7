"""Workers that were seen alive."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.engine import RowMapping

from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import insert
from cs_bot.store.tables import workers_seen

FORGET_S = 3600.0


def saw(tx: Transaction, *, name: str, queue: str, pid: int, ready: bool) -> None:
    """A worker says that it lives; the long gone are forgotten."""
    now = tx.now()
    statement = insert(tx, workers_seen).values(
        name=name, queue=queue, pid=pid, started_at=now, seen_at=now, ready=ready
    )
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"seen_at": now, "ready": ready}))
    tx.execute(delete(workers_seen).where(workers_seen.c.seen_at < now - timedelta(seconds=FORGET_S)))


def gone(tx: Transaction, name: str) -> None:
    """A worker has stopped in order."""
    tx.execute(delete(workers_seen).where(workers_seen.c.name == name))


def alive(tx: Transaction, within_s: float) -> Sequence[RowMapping]:
    """Workers seen within that many seconds."""
    since = tx.now() - timedelta(seconds=within_s)
    return tx.rows(select(workers_seen).where(workers_seen.c.seen_at >= since).order_by(workers_seen.c.name))
