"""Customers: one row per person on one account, with contacts that are only ever added."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import Customer
from cs_bot.schemas import Person
from cs_bot.store.database import Transaction
from cs_bot.store.queries.contacts import folded_email, folded_phone
from cs_bot.store.queries.sql import built, insert_for, several
from cs_bot.store.tables import customers


@cache
def _new(dialect: str) -> Any:
    return insert_for(dialect, customers).on_conflict_do_nothing().returning(customers.c.external_id, customers.c.id)


def upsert(tx: Transaction, channel: str, account: str, person: Person, *, now: datetime) -> int:
    """Store what a signed event says of a person; the row's id.

    Contacts are merged: a known one stays although a later event leaves it out.
    """
    row = tx.row(_by_external_id(channel, account, person.id))
    return keep(tx, channel, account, [person], known={} if row is None else {person.id: row}, now=now)[0]


def keep(
    tx: Transaction,
    channel: str,
    account: str,
    people: Sequence[Person],
    *,
    known: Mapping[str, RowMapping],
    now: datetime,
) -> list[int]:
    """As upsert, for different people whose rows were looked for: who brings nothing new costs no statement."""
    key = {"channel": channel, "account": account}
    strangers = sorted((person for person in people if person.id not in known), key=lambda person: person.id)
    new = [
        {**key, "external_id": person.id, "created_at": now, "updated_at": now, **_merged(None, person)}
        for person in strangers
    ]
    made = {row.external_id: row.id for row in tx.execute(_new(tx.dialect), several(new))} if new else {}
    return [
        made.get(person.id) or _keep(tx, channel, account, person, known=known.get(person.id), now=now)
        for person in people
    ]


def _keep(
    tx: Transaction, channel: str, account: str, person: Person, *, known: RowMapping | None, now: datetime
) -> int:
    """The same for one who was there already, or came in between."""
    if known is not None and not _brings_news(known, person):
        return int(known["id"])
    row = tx.row(_lock(channel, account, person.id))  # two events at once must not lose each other's contact
    assert row is not None
    if _brings_news(row, person):
        tx.execute(update(customers).where(customers.c.id == row["id"]).values(updated_at=now, **_merged(row, person)))
    return int(row["id"])


def get(tx: Transaction, customer_id: int) -> Customer | None:
    """One customer or None."""
    return next(iter(get_many(tx, [customer_id])), None)


_BY_IDS = select(customers).where(customers.c.id.in_(bindparam("ids", expanding=True)))


def get_many(tx: Transaction, customer_ids: Iterable[int]) -> tuple[Customer, ...]:
    """Customers by their ids, in the order of the ids; unknown ones are left out."""
    wanted = list(dict.fromkeys(customer_ids))
    rows = tx.execute(_BY_IDS, {"ids": wanted}).mappings() if wanted else ()
    found = {row["id"]: _customer(row) for row in rows}
    return tuple(found[customer_id] for customer_id in wanted if customer_id in found)


def find(tx: Transaction, channel: str, account: str, external_id: str) -> Customer | None:
    """The customer that a platform knows by that id on that account."""
    row = tx.row(_by_external_id(channel, account, external_id))
    return None if row is None else _customer(row)


@built
def _by_external_id(channel: str, account: str, external_id: str) -> Any:
    key = customers.c.channel == channel, customers.c.account == account, customers.c.external_id == external_id
    return select(customers).where(*key)


@built
def _lock(channel: str, account: str, external_id: str) -> Any:
    key = customers.c.channel == channel, customers.c.account == account, customers.c.external_id == external_id
    return select(customers).where(*key).with_for_update()


def _brings_news(row: RowMapping, person: Person) -> bool:
    return _merged(row, person) != {name: row[name] for name in ("name", "emails", "phones")}


def _merged(row: RowMapping | None, person: Person) -> dict[str, object]:
    emails = list(row["emails"]) if row is not None else []
    phones = list(row["phones"]) if row is not None else []
    for contacts, new in ((emails, folded_email(person.email)), (phones, folded_phone(person.phone))):
        if new is not None and new not in contacts:
            contacts.append(new)
    name = person.name or (row["name"] if row is not None else None)
    return {"name": name, "emails": emails, "phones": phones}


def _customer(row: RowMapping) -> Customer:
    return Customer(
        customer_id=row["id"],
        channel=row["channel"],
        account=row["account"],
        external_id=row["external_id"],
        name=row["name"],
        emails=tuple(row["emails"]),
        phones=tuple(row["phones"]),
    )
