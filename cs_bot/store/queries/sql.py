"""Small helpers that the query files share."""

import hashlib
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from cs_bot.store.database import Transaction
from cs_bot.store.tables import audit as audit_table
from cs_bot.store.tables import changes


def insert(tx: Transaction, table: Table) -> Any:
    """The dialect's INSERT, which knows ON CONFLICT and RETURNING."""
    return insert_for(tx.dialect, table)


def insert_for(dialect: str, table: Table) -> Any:
    """The same by the dialect's name: for statements that are built once (building one costs more than running it)."""
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


def changed(tx: Transaction, noun: str, noun_id: int) -> None:
    """Tell the web processes that tail the change table."""
    tx.execute(changes.insert().values(at=tx.now(), noun=noun, noun_id=noun_id))


def audit(
    tx: Transaction, actor: str, action: str, noun: str, noun_id: object, detail: dict[str, Any] | None = None
) -> None:
    """Keep who did what."""
    tx.execute(
        audit_table.insert().values(
            at=tx.now(), actor=actor, action=action, noun=noun, noun_id=str(noun_id), detail=detail or {}
        )
    )


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()
