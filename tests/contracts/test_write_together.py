"""Group commit: durable, isolated, and every caller gets its own result."""

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, text

from cs_bot.errors import Conflict, StoreUnavailable
from cs_bot.store.database import Database, Transaction
from tests.services import wait_for


@pytest.fixture
def table(database: Database) -> Database:
    with database.write() as tx:
        tx.execute(text("create table piece (n integer primary key)"))
    return database


def put(tx: Transaction, numbers: Sequence[int]) -> list[int]:
    tx.execute(text("insert into piece (n) values (:n)"), [{"n": n} for n in numbers])
    failed = [n for n in numbers if n % 10 == 7]
    if failed:
        raise Conflict(f"piece {failed[0]}")
    return [n * 2 for n in numbers]


def stored(database: Database) -> set[int]:
    with database.read() as tx:
        return {row["n"] for row in tx.rows(text("select n from piece"))}


def test_many_threads_each_get_their_own_result_and_only_the_failed_are_undone(table: Database) -> None:
    results: dict[int, object] = {}

    def one(n: int) -> None:
        try:
            results[n] = table.write_together(put, n)
        except Conflict as problem:
            results[n] = str(problem)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == {n: f"piece {n}" if n % 10 == 7 else n * 2 for n in range(60)}
    assert stored(table) == {n for n in range(60) if n % 10 != 7}


def test_a_row_is_visible_to_others_before_the_caller_goes_on(table: Database) -> None:
    assert table.write_together(put, 1) == 2
    other = Database(table.engine.url.render_as_string(hide_password=False))
    assert stored(other) == {1}
    other.close()


def test_a_database_error_of_one_piece_does_not_fail_the_others(table: Database) -> None:
    assert table.write_together(put, 1) == 2
    together = threading.Barrier(3)
    outcomes: dict[int, object] = {}

    def one(n: int) -> None:
        together.wait()
        try:
            outcomes[n] = table.write_together(put, n)
        except Exception as problem:
            outcomes[n] = type(problem).__name__

    threads = [threading.Thread(target=one, args=(n,)) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes[2] == 4
    assert outcomes[3] == 6
    assert outcomes[1] == "IntegrityError"
    assert stored(table) == {1, 2, 3}


def test_a_lock_that_somebody_else_holds_is_waited_for_once_and_not_once_a_piece(
    sqlite_url: str, request: pytest.FixtureRequest
) -> None:
    database = Database(sqlite_url)
    request.addfinalizer(database.close)
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=300"))
    begun: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: begun.append(given[2]))
    together, outcomes = threading.Barrier(12), list[str]()

    def one(n: int) -> None:
        together.wait()
        with pytest.raises(StoreUnavailable):
            database.write_together(put, n)
        outcomes.append("told")

    threads = [threading.Thread(target=one, args=(n,)) for n in range(12)]
    with contextlib.closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert outcomes == ["told"] * 12
    assert begun.count("BEGIN IMMEDIATE") < 12, "once for those that came first, once for all who queued up meanwhile"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_commit_that_waits_for_a_lock_holds_up_nobody_who_comes_later(table: Database) -> None:
    with ThreadPoolExecutor(2) as pool, table.write() as tx:
        tx.execute(text("insert into piece (n) values (1)"))
        waits = pool.submit(table.write_together, put, 1)
        wait_for(lambda: table._lanes[0].held_up, "a commit that waits", 5)
        assert pool.submit(table.write_together, put, 2).result(2) == 4
        assert not waits.done()
        tx.execute(text("delete from piece where n = 1"))
    assert waits.result(5) == 2


def test_an_unreachable_database_is_said_to_every_caller() -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:9/none")
    with pytest.raises(StoreUnavailable):
        away.write_together(put, 1)
    away.close()
