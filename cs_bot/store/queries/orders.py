"""Orders and their lines, looked up by a number as customers and pictures write it."""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, delete, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import RowMapping

from cs_bot.records import Order, OrderLine, OrderStatus
from cs_bot.schemas import OrderIn
from cs_bot.store.database import Transaction
from cs_bot.store.queries.contacts import folded_email, folded_phone
from cs_bot.store.queries.saved import Saved
from cs_bot.store.queries.sql import insert
from cs_bot.store.tables import order_lines, orders

LOOKUP_LENGTH = 64
_PLAIN = [
    *("order_id", "status", "amount", "currency", "carrier", "tracking_no"),
    *("ordered_at", "paid_at", "shipped_at", "delivered_at", "ship_by", "updated_at"),
]
_SAME_KEY = ("channel", "account", "order_id")


def order_lookup_id(text: str) -> str:
    """An order number without what people, pictures and platforms write differently.

    Full-width forms become plain ones, letters upper case; spaces, every kind of hyphen, `#` and invisible
    characters go. Two different numbers of one account may so become equal: the caller must not guess between them.
    """
    plain = unicodedata.normalize("NFKC", text).upper()
    kept = "".join(
        c
        for c in plain
        if c not in "#\N{MINUS SIGN}" and unicodedata.category(c)[0] not in "CZ" and unicodedata.category(c) != "Pd"
    )
    return kept if len(kept) <= LOOKUP_LENGTH else hashlib.sha256(kept.encode()).hexdigest()


def upsert(tx: Transaction, channel: str, account: str, order: OrderIn) -> bool:
    """Store an order; True when the stored record is another one now (see save_many)."""
    return save_many(tx, channel, account, [order])[0].changed


def save_many(tx: Transaction, channel: str, account: str, items: Sequence[OrderIn]) -> list[Saved]:
    """Store orders of one account (each order_id once, at most some hundred); what became of each.

    A record older than the stored one changes nothing. One as old replaces it (platforms count in seconds) or, with
    the same content, only refreshes synced_at.
    """
    before = _stored(tx, channel, account, [item.order_id for item in items])
    wanted = {item.order_id: _content(item) for item in items}
    outcomes = {order_id: _compare(before.get(order_id), content) for order_id, content in wanted.items()}
    due = [wanted[order_id] for order_id in sorted(outcomes) if outcomes[order_id] is not Saved.STALE]
    if due:
        written = _write(tx, channel, account, due)
        for content in due:
            if content["order_id"] not in written:  # a newer one came in between
                outcomes[content["order_id"]] = Saved.STALE
        changed = {written[o]: wanted[o]["lines"] for o in written if outcomes[o].changed}
        _replace_lines(tx, changed)
    return [outcomes[item.order_id] for item in items]


def find(tx: Transaction, lookup_id: str) -> list[Order]:
    """Every order, on any account, whose number has that lookup form; [] for an empty one."""
    return _orders(tx, orders.c.lookup_id == lookup_id) if lookup_id else []


def get(tx: Transaction, channel: str, account: str, order_id: str) -> Order | None:
    """One order by its exact key."""
    key = (orders.c.channel == channel) & (orders.c.account == account) & (orders.c.order_id == order_id)
    return next(iter(_orders(tx, key)), None)


def _content(item: OrderIn) -> dict[str, Any]:
    return {
        **{name: getattr(item, name) for name in _PLAIN},
        "status": item.status.value,
        "customer_external_id": item.customer_id,
        "email": folded_email(item.email),
        "phone": folded_phone(item.phone),
        "lines": [(line.sku, line.name, line.quantity, line.price) for line in item.lines],
    }


def _stored(tx: Transaction, channel: str, account: str, order_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """The stored records as _content gives them; on PostgreSQL their rows stay locked until the end."""
    rows = tx.rows(_by_ids(tx, channel, account, sorted(order_ids)))
    lines = _lines(tx, [row["id"] for row in rows])
    names = [*_PLAIN, "customer_external_id", "email", "phone"]
    return {
        row["order_id"]: {
            **{name: row[name] for name in names},
            "lines": [(line["sku"], line["name"], line["quantity"], line["price"]) for line in lines[row["id"]]],
        }
        for row in rows
    }


def _by_ids(tx: Transaction, channel: str, account: str, order_ids: list[str]) -> Select[tuple[Any, ...]]:
    of_account = select(orders).where(orders.c.channel == channel, orders.c.account == account)
    if tx.dialect == "sqlite":
        return of_account.where(orders.c.order_id.in_(order_ids))
    # Without statistics (a first import) PostgreSQL reads all orders of the account for an IN; this it can't.
    wanted = func.unnest(cast(order_ids, ARRAY(String))).table_valued("order_id").render_derived(name="wanted")
    one = of_account.where(orders.c.order_id == wanted.c.order_id).limit(1).with_for_update().lateral("one")
    return select(one).select_from(wanted.join(one, true()))


def _compare(before: dict[str, Any] | None, content: dict[str, Any]) -> Saved:
    if before is None:
        return Saved.CREATED
    if before["updated_at"] > content["updated_at"]:
        return Saved.STALE
    return Saved.UNCHANGED if before == content else Saved.UPDATED


def _write(tx: Transaction, channel: str, account: str, contents: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Upsert the rows without their lines; order_id -> row id of those that were not older than the stored one."""
    synced_at = tx.now()
    statement = insert(tx, orders)
    fresh = {c.name: statement.excluded[c.name] for c in orders.c if c.name not in ("id", *_SAME_KEY)}
    guarded = statement.on_conflict_do_update(
        index_elements=list(_SAME_KEY), set_=fresh, where=orders.c.updated_at <= statement.excluded.updated_at
    ).returning(orders.c.order_id, orders.c.id)
    values = [
        {
            **{name: value for name, value in content.items() if name != "lines"},
            "channel": channel,
            "account": account,
            "lookup_id": order_lookup_id(content["order_id"]),
            "synced_at": synced_at,
        }
        for content in contents
    ]
    return {row.order_id: row.id for row in tx.execute(guarded, values)}


def _replace_lines(tx: Transaction, lines: dict[int, list[tuple[Any, ...]]]) -> None:
    if not lines:
        return
    tx.execute(delete(order_lines).where(order_lines.c.order_row_id.in_(lines)))
    values = [
        {"order_row_id": row_id, "position": n, "sku": sku, "name": name, "quantity": quantity, "price": price}
        for row_id, found in lines.items()
        for n, (sku, name, quantity, price) in enumerate(found)
    ]
    if values:
        tx.execute(order_lines.insert(), values)


def _orders(tx: Transaction, where: ColumnElement[bool]) -> list[Order]:
    rows = tx.rows(select(orders).where(where).order_by(orders.c.id))
    lines = _lines(tx, [row["id"] for row in rows])
    return [_order(row, lines[row["id"]]) for row in rows]


def _lines(tx: Transaction, row_ids: Sequence[int]) -> defaultdict[int, list[RowMapping]]:
    found: defaultdict[int, list[RowMapping]] = defaultdict(list)
    if row_ids:
        query = select(order_lines).where(order_lines.c.order_row_id.in_(row_ids))
        for row in tx.rows(query.order_by(order_lines.c.order_row_id, order_lines.c.position)):
            found[row["order_row_id"]].append(row)
    return found


def _order(row: RowMapping, lines: Sequence[RowMapping]) -> Order:
    kept = {name: row[name] for name in Order.model_fields if name in row and name != "status"}
    return Order(
        **kept,
        status=OrderStatus(row["status"]),
        lines=tuple(
            OrderLine(sku=line["sku"], name=line["name"], quantity=line["quantity"], price=line["price"])
            for line in lines
        ),
    )
