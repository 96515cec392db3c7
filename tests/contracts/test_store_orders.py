"""Orders and products in the store, on each kind of database."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from cs_bot.schemas import ProductIn
from cs_bot.store.database import Database
from cs_bot.store.queries import orders, products
from cs_bot.store.queries.saved import Saved
from tests.makers import ACCOUNT, CHANNEL, DAY, order_in
from tests.plans import plans


def upsert(database: Database, order: Any, account: str = ACCOUNT) -> bool:
    with database.write() as tx:
        return orders.upsert(tx, CHANNEL, account, order)


def found(database: Database, number: str) -> list[Any]:
    with database.read() as tx:
        return orders.find(tx, orders.order_lookup_id(number))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("4021-3388-19", "4021338819"),
        ("４０２１３３８８１９", "4021338819"),
        (" 4021 3388\u300019 ", "4021338819"),
        ("#4021338819", "4021338819"),
        ("＃4021338819", "4021338819"),
        ("ab–12—３4\u221256\u200b78", "AB12345678"),
        ("4021\x0033", "402133"),
        ("--- #", ""),
    ],
)
def test_numbers_written_differently_have_one_lookup_form(written: str, meant: str) -> None:
    assert orders.order_lookup_id(written) == meant


@given(st.text(max_size=80))
def test_the_lookup_form_fits_its_column_and_is_its_own_lookup_form(number: str) -> None:
    form = orders.order_lookup_id(number)
    assert len(form) <= orders.LOOKUP_LENGTH
    assert orders.order_lookup_id(form.lower()) in (form, orders.order_lookup_id(form))


def test_an_order_comes_back_as_it_was_stored(database: Database) -> None:
    given_order = order_in(
        "SO-77#1", email=" Buyer@Example.COM ", phone="138 0013 8000", carrier="SF", tracking_no="SF1", paid_at=DAY
    )
    assert upsert(database, given_order) is True
    (order,) = found(database, "so 77 1")
    assert (order.order_id, order.channel, order.account) == ("SO-77#1", CHANNEL, ACCOUNT)
    assert (order.amount, order.currency, order.status) == (Decimal("129.90"), "CNY", "shipped")
    assert (order.email, order.phone) == ("buyer@example.com", "+8613800138000")
    assert (order.ordered_at, order.paid_at, order.shipped_at) == (DAY, DAY, None)
    assert [(line.sku, line.name, line.quantity, line.price) for line in order.lines] == [
        ("S-1", "帆布鞋", 2, Decimal("64.95"))
    ]


def test_a_newer_record_replaces_the_order_and_its_lines(database: Database) -> None:
    upsert(database, order_in())
    newer = order_in(
        status="delivered", updated_at=DAY + timedelta(hours=1), lines=[{"name": "袜子"}, {"name": "帽子"}]
    )
    assert upsert(database, newer) is True
    (order,) = found(database, "4021338819")
    assert order.status == "delivered"
    assert [line.name for line in order.lines] == ["袜子", "帽子"]


def test_an_older_record_changes_nothing_and_confirms_nothing(database: Database) -> None:
    upsert(database, order_in(status="delivered"))
    (before,) = found(database, "4021338819")
    database.shift(60)
    assert upsert(database, order_in(status="paid", updated_at=DAY - timedelta(microseconds=1), lines=[])) is False
    assert found(database, "4021338819") == [before]


def test_the_same_record_again_is_no_change_but_confirms_the_order(database: Database) -> None:
    upsert(database, order_in())
    (before,) = found(database, "4021338819")
    database.shift(3600)
    assert upsert(database, order_in()) is False
    (after,) = found(database, "4021338819")
    assert after.synced_at - before.synced_at >= timedelta(seconds=3600)
    assert after.model_copy(update={"synced_at": before.synced_at}) == before


def test_other_content_with_the_same_time_replaces(database: Database) -> None:
    upsert(database, order_in())
    assert upsert(database, order_in(lines=[])) is True
    assert found(database, "4021338819")[0].lines == ()


def test_one_number_on_two_accounts_is_two_orders(database: Database) -> None:
    upsert(database, order_in(), "east")
    upsert(database, order_in(customer_id="c2"), "west")
    assert [(o.account, o.customer_external_id) for o in found(database, "4021338819")] == [
        ("east", "c1"),
        ("west", "c2"),
    ]


def test_many_orders_are_saved_at_once_and_each_tells_what_became_of_it(database: Database) -> None:
    many = [order_in(f"N{n}") for n in range(600)]
    with database.write() as tx:
        assert set(orders.save_many(tx, CHANNEL, ACCOUNT, many)) == {Saved.CREATED}
    mixed = [
        order_in("N1"),
        order_in("N0", updated_at=DAY - timedelta(days=1)),
        order_in("new"),
        order_in("N2", carrier="SF"),
    ]
    with database.write() as tx:
        outcomes = orders.save_many(tx, CHANNEL, ACCOUNT, mixed)
    assert outcomes == [Saved.UNCHANGED, Saved.STALE, Saved.CREATED, Saved.UPDATED]
    assert len(found(database, "N599")[0].lines) == 1


def test_saving_reads_only_the_orders_in_question_even_before_the_first_statistics(database: Database) -> None:
    with database.write() as tx:
        orders.save_many(tx, CHANNEL, ACCOUNT, [order_in(f"N{n}") for n in range(500)])
    with plans(database) as seen, database.write() as tx:
        orders.save_many(tx, CHANNEL, ACCOUNT, [order_in(f"N{n}") for n in range(250, 750)])
    condition = next(line for line in seen[0].splitlines() if "Index Cond" in line or "SEARCH orders" in line)
    assert "order_id" in condition


def test_an_empty_number_finds_nothing(database: Database) -> None:
    upsert(database, order_in("#"))
    assert found(database, " - ") == []


def test_looking_an_order_up_uses_an_index(database: Database) -> None:
    with database.write() as tx:
        for start in range(0, 2000, 500):
            orders.save_many(tx, CHANNEL, ACCOUNT, [order_in(f"N{n}") for n in range(start, start + 500)])
    with database.write() as tx:
        tx.execute(text("ANALYZE"))
    with plans(database) as seen:
        assert len(found(database, "N7")) == 1
    assert len(seen) == 2
    assert "ix_orders_lookup_id" in seen[0]
    assert "Seq Scan" not in seen[1]
    assert "SCAN order_lines" not in seen[1]


def product(**values: Any) -> ProductIn:
    return ProductIn.model_validate({"product_id": "P1", "title": "帆布鞋", "price": "59", "updated_at": DAY, **values})


def test_a_product_follows_the_same_rules(database: Database) -> None:
    later = DAY + timedelta(hours=1)
    with database.write() as tx:
        assert products.upsert(tx, CHANNEL, ACCOUNT, product()) is True
        assert products.upsert(tx, CHANNEL, ACCOUNT, product()) is False
        assert products.upsert(tx, CHANNEL, ACCOUNT, product(stock=3, updated_at=later)) is True
        assert products.upsert(tx, CHANNEL, ACCOUNT, product(stock=9)) is False
        stored = products.get(tx, CHANNEL, ACCOUNT, "P1")
        assert products.get(tx, CHANNEL, "other", "P1") is None
    assert stored == product(stock=3, updated_at=later)
