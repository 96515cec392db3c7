"""Customers in the store, on each kind of database; contacts in the form in which they are compared."""

import threading
from typing import Any

import pytest

from cs_bot.records import Customer
from cs_bot.store.database import Database
from cs_bot.store.queries import customers
from cs_bot.store.queries.contacts import folded_email, folded_phone
from tests.makers import ACCOUNT, CHANNEL, person


def upsert(database: Database, customer_id: str = "c1", account: str = ACCOUNT, **values: Any) -> int:
    with database.write() as tx:
        return customers.upsert(tx, CHANNEL, account, person(customer_id, **values), now=tx.now())


def get(database: Database, row_id: int) -> Customer:
    with database.read() as tx:
        customer = customers.get(tx, row_id)
    assert customer is not None
    return customer


def test_contacts_are_merged_and_never_taken_away(database: Database) -> None:
    row_id = upsert(database, name="Buyer", email="A@Example.com", phone="+86 138-0013-8000")
    assert upsert(database) == row_id
    assert upsert(database, email=" a@example.com ", phone="13800138000") == row_id
    assert upsert(database, name="New name", email="b@example.com") == row_id
    customer = get(database, row_id)
    assert customer.emails == ("a@example.com", "b@example.com")
    assert customer.phones == ("+8613800138000",)
    assert customer.name == "New name"


def test_one_platform_id_on_two_accounts_is_two_customers(database: Database) -> None:
    east, west = upsert(database, account="east", email="a@example.com"), upsert(database, account="west")
    assert east != west
    assert get(database, west).emails == ()


def test_a_customer_is_found_by_the_platforms_id(database: Database) -> None:
    row_id = upsert(database)
    with database.read() as tx:
        found = customers.find(tx, CHANNEL, ACCOUNT, "c1")
        assert customers.find(tx, CHANNEL, "other", "c1") is None
        assert customers.get_many(tx, [row_id, 999, row_id]) == (found,)
        assert customers.get(tx, 999) is None


def test_two_events_at_once_lose_no_contact(database: Database) -> None:
    upsert(database)
    gate = threading.Barrier(2)

    def add(phone: str) -> None:
        gate.wait()
        upsert(database, phone=phone)

    threads = [threading.Thread(target=add, args=(f"1380013800{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    with database.read() as tx:
        customer = customers.find(tx, CHANNEL, ACCOUNT, "c1")
    assert customer is not None
    assert set(customer.phones) == {"+8613800138000", "+8613800138001"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("138 0013 8000", "+8613800138000"),
        ("+86-13800138000", "+8613800138000"),
        ("0086 13800138000", "+8613800138000"),
        ("8613800138000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("415-555-2671", "4155552671"),
        ("010-6552-9988", "01065529988"),
        ("18466001234-5678", "184660012345678"),
        ("+13800138000", "+13800138000"),
    ],
)
def test_a_phone_number_has_one_form(written: str, meant: str) -> None:
    assert folded_phone(written) == meant


@pytest.mark.parametrize(
    "written", [None, "", "138****8000", "138xxxx8000", "•••••••8000", "138...8000", "00000000000", "12345", "n/a"]
)
def test_a_masked_or_empty_phone_number_is_nobodys(written: str | None) -> None:
    assert folded_phone(written) is None


@pytest.mark.parametrize("written", [None, "", "j***@example.com", "none", "a@b", "a b@example.com", "@example.com"])
def test_a_masked_or_empty_address_is_nobodys(written: str | None) -> None:
    assert folded_email(written) is None


def test_addresses_that_only_unicode_folding_makes_equal_stay_different() -> None:
    assert folded_email("Mike@Example.com") == "mike@example.com"
    assert folded_email("mi\N{KELVIN SIGN}e@example.com") != "mike@example.com"
    assert folded_email("strasse@example.com") != folded_email("straße@example.com")
