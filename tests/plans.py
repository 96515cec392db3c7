"""How a database would run the statements of a piece of code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from cs_bot.store.database import Database


@contextmanager
def plans(database: Database) -> Iterator[list[str]]:
    """The plans of the SELECT statements run inside, as the database would run them."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, values))

    found: list[str] = []
    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
    with database.read() as tx:
        for statement, values in seen:
            rows = tx.connection.exec_driver_sql(explain + statement, values)
            found.append("\n".join(str(row) for row in rows))
