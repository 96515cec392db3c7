"""Cached looks that are to be computed again, and what came of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import SCHEMA_VERSION, Look
from cs_bot.store.database import Transaction
from cs_bot.store.tables import cache_checks

RESULTS = ("same", "differs", "outdated", "failed")


def add(
    tx: Transaction, *, picture_sha256: str, keys: Sequence[str], look: Look, customer_id: int | None, after_s: float
) -> None:
    """A hit to compute again once `after_s` seconds have passed."""
    tx.execute(
        cache_checks.insert().values(
            picture_sha256=picture_sha256,
            keys=list(keys),
            look={"schema": SCHEMA_VERSION, **look.model_dump(mode="json")},
            customer_id=customer_id,
            due_at=tx.now() + timedelta(seconds=after_s),
            created_at=tx.now(),
        )
    )


def any_due(tx: Transaction) -> bool:
    """Whether a check may be done now."""
    return tx.row(select(cache_checks.c.id).where(cache_checks.c.due_at <= tx.now()).limit(1)) is not None


def claim(tx: Transaction, *, lease_s: float) -> RowMapping | None:
    """The check that has been due longest; nobody else gets it for `lease_s` seconds. Its attempt is counted."""
    row = tx.row(
        select(cache_checks.c.id)
        .where(cache_checks.c.due_at <= tx.now())
        .order_by(cache_checks.c.due_at, cache_checks.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    return tx.row(
        update(cache_checks)
        .where(cache_checks.c.id == row["id"])
        .values(due_at=tx.now() + timedelta(seconds=lease_s), attempts=cache_checks.c.attempts + 1)
        .returning(*cache_checks.c)
    )


def settle(tx: Transaction, check_id: int, result: str, differs_in: Sequence[str] = ()) -> None:
    """Keep what came of it; the look and whose it was are forgotten."""
    tx.execute(
        update(cache_checks)
        .where(cache_checks.c.id == check_id)
        .values(
            result=result,
            differs_in=list(differs_in) or None,
            checked_at=tx.now(),
            due_at=None,
            look=None,
            customer_id=None,
            keys=[],
        )
    )


def look_of(row: RowMapping) -> Look:
    """The look as it was kept."""
    return Look.model_validate({name: value for name, value in row["look"].items() if name != "schema"})


def by_result(tx: Transaction) -> dict[str, int]:
    """How many checks came out how; `waiting` are still to do."""
    result = func.coalesce(cache_checks.c.result, "waiting")
    rows: Any = tx.execute(select(result, func.count()).group_by(result))
    return dict.fromkeys((*RESULTS, "waiting"), 0) | {str(row[0]): int(row[1]) for row in rows}
