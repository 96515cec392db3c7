"""One database of each kind for a whole file: every story and example begins by emptying it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from cs_bot.store.database import Database
from tests.services import PostgresServer


def without_sync(database: Database) -> Database:
    """Thousands of small commits: what is tested with it is not the disk."""

    def on_connect(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(database.engine, "connect", on_connect)
    return database


@pytest.fixture(scope="module")
def fast_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """SQLite that does not wait for the disk."""
    path = tmp_path_factory.mktemp("faults") / "faults.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = without_sync(Database(f"sqlite:///{path}"))
    yield database
    database.close()


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer, postgres_template: str) -> Iterator[Database]:
    """PostgreSQL."""
    database = Database(postgres_server.create_database(postgres_template))
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def each(request: pytest.FixtureRequest) -> Database:
    """Once on each kind."""
    found: Database = request.getfixturevalue("fast_sqlite" if request.param == "sqlite" else "postgres")
    return found
