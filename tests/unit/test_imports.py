"""Import of orders and FAQ entries from files."""

import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cs_bot.errors import ConfigError, ImportRefused
from cs_bot.knowledge.cells import order_lines, time
from cs_bot.knowledge.imports import ImportResult, import_faq, import_orders
from cs_bot.records import Faq, Order
from cs_bot.store.database import Database
from cs_bot.store.queries import faq, orders
from tests.makers import ACCOUNT, CHANNEL

HEADER = "order_id,customer_id,status,amount,currency,ordered_at,updated_at"
GOOD = "A-1,c1,shipped,129.90,CNY,2026-05-01 12:33:20,2026-05-02 08:00:00"
SHANGHAI = "Asia/Shanghai"


def write(folder: Path, text: str, name: str = "orders.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def load(database: Database, path: Path, **values: Any) -> ImportResult:
    return import_orders(database, path, **{"channel": CHANNEL, "account": ACCOUNT, "timezone": SHANGHAI, **values})


def stored(database: Database, number: str) -> Order:
    with database.read() as tx:
        (order,) = orders.find(tx, orders.order_lookup_id(number))
    return order


def count(database: Database) -> int:
    with database.read() as tx:
        return int(tx.connection.exec_driver_sql("select count(*) from orders").scalar_one())


def refused(database: Database, path: Path, **values: Any) -> ImportRefused:
    with pytest.raises(ImportRefused) as caught:
        load(database, path, **values)
    assert count(database) == 0
    return caught.value


def test_a_csv_row_becomes_an_order_with_local_times(sqlite_database: Database, tmp_path: Path) -> None:
    text = (
        f"{HEADER},paid_at,email,lines,Shop remark\n"
        f'{GOOD},,Buyer@Example.com,"S1:2:帆布鞋 38:39;:1:袜子",hello\n'
        "A-2,c2,PAID,10,JPY,2026/5/1 9:05,20260502080000,2026-05-01T00:00:00Z,,"
        '"[{""name"": ""帽子"", ""price"": 10}]",\n'
    )
    result = load(sqlite_database, write(tmp_path, text))
    assert result == ImportResult(created=2, ignored_columns=("shop remark",))
    first, second = stored(sqlite_database, "A1"), stored(sqlite_database, "A2")
    assert first.ordered_at == datetime(2026, 5, 1, 4, 33, 20, tzinfo=UTC)
    assert first.paid_at is None
    assert first.email == "buyer@example.com"
    assert [(line.sku, line.quantity, line.name) for line in first.lines] == [
        ("S1", 2, "帆布鞋 38:39"),
        ("", 1, "袜子"),
    ]
    assert second.ordered_at == datetime(2026, 5, 1, 1, 5, tzinfo=UTC)
    assert second.paid_at == datetime(2026, 5, 1, tzinfo=UTC)
    assert second.updated_at == datetime(2026, 5, 2, 0, 0, tzinfo=UTC)
    assert (second.status, second.lines[0].price) == ("paid", Decimal("10.00"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_of_spreadsheets_are_found_out(
    sqlite_database: Database, tmp_path: Path, encoding: str, delimiter: str
) -> None:
    text = f"{HEADER},carrier\r\n{GOOD},顺丰\r\n".replace(",", delimiter)
    load(sqlite_database, write(tmp_path, text, encoding=encoding))
    assert stored(sqlite_database, "A1").carrier == "顺丰"


def test_json_lines_become_orders(sqlite_database: Database, tmp_path: Path) -> None:
    row = {
        "order_id": 123,
        "status": "paid",
        "amount": 129.9,
        "ordered_at": "2026-05-01T12:00:00+08:00",
        "updated_at": "2026-05-01T12:00:00+08:00",
        "lines": [{"name": "袜子", "quantity": 3}],
    }
    path = write(tmp_path, "\ufeff" + json.dumps(row) + "\n\n", "orders.txt")
    assert load(sqlite_database, path, timezone=None).created == 1
    order = stored(sqlite_database, "123")
    assert (order.amount, order.currency, order.lines[0].quantity) == (Decimal("129.90"), "CNY", 3)


def test_importing_again_tells_updated_unchanged_and_stale_apart(sqlite_database: Database, tmp_path: Path) -> None:
    load(sqlite_database, write(tmp_path, f"{HEADER}\n{GOOD}\n{GOOD.replace('A-1', 'A-2')}\n"))
    older = GOOD.replace("2026-05-02", "2026-04-02")
    newer = GOOD.replace("A-1", "A-2").replace("2026-05-02", "2026-05-03")
    same = write(tmp_path, f"{HEADER}\n{GOOD}\n{newer}\n{GOOD.replace('A-1', 'A-3')}\n")
    assert load(sqlite_database, same) == ImportResult(created=1, updated=1, unchanged=1)
    assert load(sqlite_database, write(tmp_path, f"{HEADER}\n{older}\n")) == ImportResult(stale=1)


BAD_ROWS = [
    ("A-9,c1,lost,1,CNY,2026-05-01,2026-05-01", "status: Input should be 'pending_payment'"),
    ("A-9,c1,paid,-1,CNY,2026-05-01,2026-05-01", "amount: "),
    ('A-9,c1,paid,"1,299",CNY,2026-05-01,2026-05-01', "amount: "),
    ("A-9,c1,paid,1,yuan,2026-05-01,2026-05-01", "currency: "),
    ("A-9,c1,paid,1,CNY,yesterday,2026-05-01", "ordered_at: not a time such as"),
    ("A-9,c1,paid,1,CNY,2026-02-30,2026-05-01", "ordered_at: there is no such date"),
    ("A-9,c1,paid,1,CNY,1777600000,2026-05-01", "ordered_at: not a time such as"),
    ("A-9,c1,paid,1,CNY,0001-01-01,2026-05-01", "ordered_at: "),
    ("A-9,c1,paid,1,CNY,,2026-05-01", "ordered_at: Field required"),
    ("4.02134E+18,c1,paid,1,CNY,2026-05-01,2026-05-01", "order_id: a spreadsheet has rounded"),
    ("A-9,c1,paid,1,CNY,2026-05-01", "6 cells, the header has 7"),
    ("A-9,c1,paid,1,CNY,2026-05-01,2026-05-01,more", "8 cells, the header has 7"),
    (GOOD, "order_id stands on line 2 already"),
    ('A-9,c1,"paid"x,1,CNY,2026-05-01,2026-05-01', "not valid CSV"),
    ('A-9,"c1,paid', "not valid CSV"),
]


@pytest.mark.parametrize(("row", "said"), BAD_ROWS)
def test_a_bad_row_is_named_with_its_line_and_nothing_is_imported(
    sqlite_database: Database, tmp_path: Path, row: str, said: str
) -> None:
    problem = refused(sqlite_database, write(tmp_path, f"{HEADER}\n{GOOD}\n\n{row}\n"))
    ((line, text),) = problem.problems
    assert line == 4
    assert said in text
    assert f"line 4: {text}" in str(problem)


def test_every_problem_of_a_row_is_told_without_its_values(sqlite_database: Database, tmp_path: Path) -> None:
    row = "SECRET-77,c1,sekret,sekret,CNY,sekret,2026-05-01"
    ((_, text),) = refused(sqlite_database, write(tmp_path, f"{HEADER}\n{row}\n")).problems
    assert [part.split(":")[0] for part in text.split("; ")] == ["ordered_at", "status", "amount"]
    assert "sekret" not in text
    assert "SECRET" not in text


def test_line_numbers_count_the_lines_inside_quoted_cells(sqlite_database: Database, tmp_path: Path) -> None:
    text = f'{HEADER},carrier\n{GOOD},"two\nlines"\nbad,,,,,,,\n'
    ((line, _),) = refused(sqlite_database, write(tmp_path, text)).problems
    assert line == 4


def test_many_bad_rows_are_counted_and_the_first_fifty_shown(sqlite_database: Database, tmp_path: Path) -> None:
    problem = refused(sqlite_database, write(tmp_path, f"{HEADER}\n{GOOD}\n" + "x,,,,,,\n" * 70))
    assert len(problem.problems) == 50
    assert problem.more == 20
    assert "70 bad row(s)" in str(problem)
    assert str(problem).endswith("and 20 more")


JSON_BAD = [
    ('{"order_id": "A"', "not valid JSON"),
    ("[1]", "not a JSON object"),
    ("[" * 100_000, "not valid JSON"),
    ('{"amount": NaN}', "NaN is not a number"),
    ('{"order_id": "A", "status": "paid", "amount": 1, "updated_at": "2026-05-01T00:00:00", "ordered_at": 1}', "zone"),
]


@pytest.mark.parametrize(("row", "said"), JSON_BAD)
def test_a_bad_json_line_is_named(sqlite_database: Database, tmp_path: Path, row: str, said: str) -> None:
    ((line, text),) = refused(sqlite_database, write(tmp_path, f"\n{row}\n", "orders.jsonl")).problems
    assert line == 2
    assert said in text


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "empty"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), 1, "UTF-16"),
        (f"{HEADER}\n{GOOD}\n".encode() + b"caf\xe9,1\n", 3, "not UTF-8 nor GB18030"),
        (b"order_id,amount\n1,2\n", 1, "columns are missing: ordered_at, status, updated_at"),
        (f"{HEADER},Status\n".encode(), 1, "there twice: status"),
    ],
)
def test_a_file_that_is_no_import_file_is_refused_clearly(
    sqlite_database: Database, tmp_path: Path, content: bytes, line: int, said: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    ((where, text),) = refused(sqlite_database, path).problems
    assert where == line
    assert said in text


def test_numbers_wrapped_for_spreadsheets_are_unwrapped(sqlite_database: Database, tmp_path: Path) -> None:
    text = f'{HEADER},phone\n"=""402133881900123456""",c1,paid,1,CNY,2026-05-01,2026-05-01,\'13800138000\n'
    load(sqlite_database, write(tmp_path, text))
    assert stored(sqlite_database, "402133881900123456").phone == "+8613800138000"


def test_local_times_need_a_time_zone(sqlite_database: Database, tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEADER}\n{GOOD}\n")
    assert "the time has no zone" in str(refused(sqlite_database, path, timezone=None))
    with pytest.raises(ConfigError, match="unknown time zone"):
        load(sqlite_database, path, timezone="Mars/Base")


def test_a_row_that_fails_in_the_database_undoes_the_rows_before_it(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as tx:
        tx.connection.exec_driver_sql(
            "create trigger refuse before insert on orders when new.order_id = 'A-1100'"
            " begin select raise(abort, 'disk gone'); end"
        )
    rows = "".join(f"{GOOD.replace('A-1', f'A-{n}')}\n" for n in range(1200))
    with pytest.raises(Exception, match="disk gone"):
        load(sqlite_database, write(tmp_path, f"{HEADER}\n{rows}"))
    assert count(sqlite_database) == 0


def test_progress_rises_to_the_number_of_rows(sqlite_database: Database, tmp_path: Path) -> None:
    rows = "".join(f"{GOOD.replace('A-1', f'A-{n}')}\n" for n in range(1200))
    told: list[tuple[int, int]] = []
    load(sqlite_database, write(tmp_path, f"{HEADER}\n{rows}"), progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (1200, 1200)
    assert all(done <= total for done, total in told)


def test_memory_does_not_grow_with_the_file(sqlite_database: Database, tmp_path: Path) -> None:
    filler = "x" * 90
    rows = "".join(f"{GOOD.replace('A-1', f'A-{n}')},{filler}\n" for n in range(10_000))
    path = write(tmp_path, f"{HEADER},carrier\n{rows}")
    tracemalloc.start()
    load(sqlite_database, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count(sqlite_database) == 10_000
    assert peak < 12_000_000


def entry(database: Database, faq_id: str, language: str = "zh") -> Faq:
    with database.read() as tx:
        found = faq.get(tx, faq_id, language)
    assert found is not None
    return found


def test_faq_entries_come_from_csv_and_json_lines(sqlite_database: Database, tmp_path: Path) -> None:
    text = 'faq_id,language,question,variants,answer\ninvoice,zh,可以开发票吗,怎么开票|专票,"可以,在 App 里申请"\n'
    assert import_faq(sqlite_database, write(tmp_path, text, "faq.csv", "gb18030")) == ImportResult(created=1)
    assert entry(sqlite_database, "invoice").variants == ("怎么开票", "专票")
    row = {"faq_id": "invoice", "language": "en", "question": "Invoice?", "variants": ["receipt"], "answer": "Yes."}
    both = write(tmp_path, json.dumps(row) + "\n", "faq.jsonl")
    assert import_faq(sqlite_database, both) == ImportResult(created=1)
    assert import_faq(sqlite_database, both) == ImportResult(unchanged=1)
    assert entry(sqlite_database, "invoice", "en").answer == "Yes."


def test_one_faq_id_may_stand_in_a_file_once_per_language(sqlite_database: Database, tmp_path: Path) -> None:
    header = "faq_id,language,question,answer\n"
    import_faq(sqlite_database, write(tmp_path, f"{header}a,zh,问,答\na,en,Q,A\n", "faq.csv"))
    with pytest.raises(ImportRefused, match="line 3: faq_id and language stands on line 2 already"):
        import_faq(sqlite_database, write(tmp_path, f"{header}b,zh,问,答\nb,zh,问,答\n", "faq.csv"))


@pytest.mark.parametrize(
    ("cell", "hours_from_midnight"),
    [
        ("2026-05-01", 0),
        ("2026/5/1 6:30", 6.5),
        ("2026.05.01 06:30:00", 6.5),
        ("2026年5月1日 06:30", 6.5),
        ("20260501", 0),
        ("20260501063000", 6.5),
        ("2026-05-01T06:30:00.5", 6.5 + 0.5 / 3600),
        ("2026-05-01T06:30:00+08:00", 6.5),
        ("2026-04-30T22:30:00Z", 6.5),
        ("2026-04-30 17:30 -0500", 6.5),
    ],
)
def test_times_are_read_in_the_forms_that_shops_export(cell: str, hours_from_midnight: float) -> None:
    midnight = datetime(2026, 4, 30, 16, tzinfo=UTC)
    assert time(cell, ZoneInfo(SHANGHAI)) == midnight + timedelta(hours=hours_from_midnight)


@pytest.mark.parametrize("cell", ["帆布鞋", "S1:two:帆布鞋", "S1:1:", "[1", '["a"'])
def test_order_lines_in_another_form_are_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="JSON list"):
        order_lines(cell)
