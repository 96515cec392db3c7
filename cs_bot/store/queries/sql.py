"""Small helpers that the query files share."""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, ParamSpec

from sqlalchemy import ColumnElement, Table, bindparam, literal
from sqlalchemy.dialects import postgresql, sqlite

from cs_bot.store.database import Filled, Transaction
from cs_bot.store.tables import UtcTime, changes
from cs_bot.store.tables import audit as audit_table

P = ParamSpec("P")


def built(make: Callable[P, Any]) -> Callable[P, Filled]:
    """A statement of the hot path, built once: `make` is called with a bound parameter for each of its arguments.

    Calling it fills those in. (Building a statement costs more than running it.) So an argument must be a value of the
    statement, of one type: no list, no None to compare with, nothing that decides how the statement looks.
    """
    kinds = inspect.get_annotations(make)
    names = {name: f"given_{name}" for name in inspect.signature(make).parameters}  # a column's own name is taken

    @cache
    def statement() -> Any:
        times = {name for name in names if "datetime" in str(kinds[name])}
        given = {name: bindparam(names[name], type_=UtcTime if name in times else None) for name in names}
        return make(**given)  # type: ignore[arg-type, call-arg]

    @wraps(make)
    def filled(*values: P.args, **named: P.kwargs) -> Filled:
        given = {names[name]: value for name, value in named.items()}
        return Filled(statement(), dict(zip(names.values(), values, strict=False)) | given)

    return filled


def several(rows: Sequence[dict[str, Any]]) -> Any:
    """Rows for one INSERT. A single one is handed over as it is, which costs half as much."""
    return rows[0] if len(rows) == 1 else rows


def said(value: str) -> ColumnElement[Any]:
    """A text as a literal of the statement, for conditions that a partial index is to be found by. Constants only."""
    return literal(value, literal_execute=True)


def insert(tx: Transaction, table: Table) -> Any:
    """The dialect's INSERT, which knows ON CONFLICT and RETURNING."""
    return insert_for(tx.dialect, table)


def insert_for(dialect: str, table: Table) -> Any:
    """The same by the dialect's name: for statements that are built once (building one costs more than running it)."""
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


_CHANGED = changes.insert()


def changed(tx: Transaction, noun: str, noun_id: int) -> None:
    """Tell the web processes that tail the change table."""
    tx.execute(_CHANGED, {"at": tx.now(), "noun": noun, "noun_id": noun_id})


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
