"""The transactions in every order, with crashes, zombies and a lying platform: the promises hold, and all ends."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from cs_bot.store.database import Database
from tests.faults import machine


def without_sync(database: Database) -> Database:
    """Thousands of small commits: what is tested here is not the disk."""

    def on_connect(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(database.engine, "connect", on_connect)
    return database


@pytest.fixture
def fast_sqlite(sqlite_url: str) -> Iterator[Database]:
    database = without_sync(Database(sqlite_url))
    yield database
    database.close()


@pytest.fixture
def postgres(postgres_server: Any, postgres_template: str) -> Iterator[Database]:
    database = Database(postgres_server.create_database(postgres_template))
    yield database
    database.close()


def test_the_promises_hold_in_every_order_of_steps(fast_sqlite: Database) -> None:
    machine.run(fast_sqlite, examples=60, steps=40)


def test_the_promises_hold_on_postgresql(postgres: Database) -> None:
    machine.run(postgres, examples=12, steps=30)


@pytest.mark.full
def test_the_promises_hold_over_many_more_orders(fast_sqlite: Database) -> None:
    machine.run(fast_sqlite, examples=1500, steps=60, seeded=False)


@pytest.mark.full
def test_the_promises_hold_over_more_orders_on_postgresql(postgres: Database) -> None:
    machine.run(postgres, examples=200, steps=50, seeded=False)
