"""orders import, faq import, user: what lands in the database, and what is said about what does not."""

from pathlib import Path

import pytest
from sqlalchemy import select

from cs_bot.store import tables
from cs_bot.store.database import Database
from tests.commands import FAQ, Done, Run, count

ORDERS = """order_id,customer_id,status,amount,currency,ordered_at,updated_at
A-1,u1,shipped,129.90,CNY,2026-05-01 12:33:20,2026-05-02 08:00:00
A-2,u1,paid,20.00,CNY,2026-05-01 12:33:20,2026-05-02 08:00:00
"""


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@pytest.mark.usefixtures("with_account")
def test_orders_are_imported_and_a_second_time_changes_nothing(
    run: Run, tmp_path: Path, sqlite_database: Database
) -> None:
    file = written(tmp_path, "orders.csv", ORDERS)
    assert run("orders", "import", file, "--account", "shop") == Done(
        0, "orders: 2 new, 0 updated, 0 unchanged, 0 older\n", ""
    )
    assert "0 new, 0 updated, 2 unchanged" in run("orders", "import", file, "--account", "shop").out
    assert count(sqlite_database, tables.orders) == 2


@pytest.mark.usefixtures("with_account")
def test_bad_rows_are_named_with_their_lines_and_nothing_is_imported(
    run: Run, tmp_path: Path, sqlite_database: Database
) -> None:
    bad = ORDERS.replace("A-2,u1,paid", "A-2,u1,teleported") + "A-3,u1,paid,many,CNY,2026-05-01,2026-05-01\n"
    done = run("orders", "import", written(tmp_path, "orders.csv", bad), "--account", "shop")
    assert done.code == 1
    assert "2 bad row(s); nothing was imported" in done.err
    assert "line 3: " in done.err
    assert "line 4: " in done.err
    assert count(sqlite_database, tables.orders) == 0


@pytest.mark.usefixtures("with_account")
@pytest.mark.parametrize("what", [("orders", "import"), ("faq", "import")])
def test_a_file_that_is_missing_is_exit_code_2(run: Run, what: tuple[str, str]) -> None:
    more = ("--account", "shop") if what[0] == "orders" else ()
    done = run(*what, "nowhere.csv", *more)
    assert done.code == 2
    assert "nowhere.csv" in done.err


@pytest.mark.usefixtures("with_account")
def test_orders_of_an_account_nobody_configured_are_refused(run: Run, tmp_path: Path) -> None:
    done = run("orders", "import", written(tmp_path, "orders.csv", ORDERS), "--account", "other")
    assert done.code == 2
    assert "unknown account generic/other; known: generic/shop" in done.err


def test_faq_entries_are_imported(run: Run, tmp_path: Path, sqlite_database: Database) -> None:
    file = written(tmp_path, "faq.jsonl", FAQ)
    assert run("faq", "import", file) == Done(0, "faq: 1 new, 0 updated, 0 unchanged, 0 older\n", "")
    assert count(sqlite_database, tables.faq) == 1
    bad = written(tmp_path, "bad.jsonl", FAQ + '{"faq_id": "x", "question": ""}\nnonsense\n')
    done = run("faq", "import", bad)
    assert done.code == 1
    assert "line 2: " in done.err
    assert "line 3: " in done.err
    assert count(sqlite_database, tables.faq) == 1


def test_a_user_is_added_listed_and_disabled(run: Run, sqlite_database: Database) -> None:
    token = run("user", "add", "mei", "--role", "supervisor")
    assert (token.code, token.err) == (0, "")
    assert len(token.out.strip()) >= 32
    with sqlite_database.read() as tx:
        [row] = tx.rows(select(tables.agents))
    assert token.out.strip() not in str(dict(row)), "only its hash is stored"
    assert run("user", "list").out == f"{row['id']}\tsupervisor\tmei\n"
    assert run("user", "disable", "mei").code == 0
    assert run("user", "list").out == ""


def test_what_can_not_be_done_with_users_is_said(run: Run) -> None:
    run("user", "add", "mei")
    again, role, unknown = run("user", "add", "mei"), run("user", "add", "li", "--role", "king"), None
    assert again.code == 2
    assert "there is a user 'mei' already" in again.err
    assert role.code == 2
    assert "known: agent, supervisor, admin" in role.err
    unknown = run("user", "disable", "nobody")
    assert unknown.code == 1
    assert "there is no user 'nobody'" in unknown.err
