"""Products as the shop's catalog has them, and the search over their grams and codes."""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, and_, delete, func, select, text
from sqlalchemy.engine import RowMapping

from cs_bot.records import Product, Variant
from cs_bot.schemas import ProductIn
from cs_bot.store.database import Transaction
from cs_bot.store.queries import product_pictures
from cs_bot.store.queries.saved import Saved
from cs_bot.store.queries.sql import insert
from cs_bot.store.tables import product_codes, products

CODE_LENGTH = 64
_END = "\U0010ffff"  # sorts behind every code
_SQLITE = text(
    "SELECT product_id, grams FROM products WHERE channel = :channel AND account = :account AND active"
    " AND id IN (SELECT rowid FROM product_search WHERE product_search MATCH :query)"
)
# Fenced: with the account beside it, the planner would read all of the account and make its vectors anew.
_POSTGRESQL = text(
    "WITH found AS MATERIALIZED (SELECT channel, account, active, product_id, grams FROM products"
    " WHERE to_tsvector('simple', grams) @@ CAST(:query AS tsquery))"
    " SELECT product_id, grams FROM found WHERE channel = :channel AND account = :account AND active"
)


@dataclass(frozen=True)
class Searchable:
    """A product with what it is found by. `codes`: (product_code(…), the SKU it means or None for the product)."""

    item: ProductIn
    grams: str
    grams_version: int
    codes: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class CodeHit:
    """A product that a code names; `sku` is the variant's, None when it is the product's own."""

    code: str
    product_id: str
    sku: str | None


def product_code(code: str) -> str:
    """A product id or SKU without what people write differently: letters and digits only, upper case."""
    plain = unicodedata.normalize("NFKC", code).upper()
    return "".join(c for c in plain if c.isalnum())[:CODE_LENGTH]


def save_many(tx: Transaction, channel: str, account: str, items: Sequence[Searchable]) -> list[Saved]:
    """Store products of one account (each product_id once, at most some hundred); what became of each.

    A record older than the stored one changes nothing. One as old replaces it or, with the same content, only
    refreshes synced_at. Pictures that the product does not name any more go; new ones wait to be indexed.
    """
    before = _stored(tx, channel, account, [one.item.product_id for one in items])
    wanted = {one.item.product_id: one for one in items}
    outcomes = {product_id: _compare(before.get(product_id), one) for product_id, one in wanted.items()}
    due = [wanted[product_id] for product_id in sorted(outcomes) if outcomes[product_id] is not Saved.STALE]
    if due:
        written = _write(tx, channel, account, due)
        for one in due:
            if one.item.product_id not in written:  # a newer one came in between
                outcomes[one.item.product_id] = Saved.STALE
        changed = {written[i]: wanted[i] for i in written if outcomes[i].changed or _is_outdated(before[i], wanted[i])}
        _replace_codes(tx, changed)
        product_pictures.follow(tx, channel, account, {row_id: one.item for row_id, one in changed.items()})
    return [outcomes[one.item.product_id] for one in items]


def set_columns(tx: Transaction, row_id: int, one: Searchable) -> None:
    """Renew what a stored product is found by (its grams are of an older version)."""
    values = {"grams": one.grams, "grams_version": one.grams_version}
    tx.execute(products.update().where(products.c.id == row_id).values(values))
    _replace_codes(tx, {row_id: one})
    stored = tx.row(select(products.c.channel, products.c.account).where(products.c.id == row_id))
    assert stored is not None
    product_pictures.follow(tx, stored["channel"], stored["account"], {row_id: one.item})


def outdated(tx: Transaction, grams_version: int, limit: int) -> list[tuple[int, ProductIn]]:
    """(row id, product) of some that were stored with another version of the search column."""
    query = select(products.c.id, products.c.body).where(products.c.grams_version != grams_version).limit(limit)
    return [(row["id"], ProductIn.model_validate(row["body"])) for row in tx.rows(query)]


def get(tx: Transaction, channel: str, account: str, product_id: str) -> ProductIn | None:
    """One product by its exact key, as it was sent."""
    body = tx.value(select(products.c.body).where(_of(channel, account), products.c.product_id == product_id))
    return None if body is None else ProductIn.model_validate(body)


def by_ids(tx: Transaction, channel: str, account: str, product_ids: Collection[str]) -> list[Product]:
    """The products of these ids; those that there are not, or that are no longer sold, are left out."""
    if not product_ids:
        return []
    query = select(products).where(_of(channel, account), products.c.active, products.c.product_id.in_(product_ids))
    return [record(row) for row in tx.rows(query)]


def page(tx: Transaction, channel: str, account: str, *, after: str = "", limit: int = 50) -> list[Product]:
    """Products that are sold, ordered by id, those behind `after`."""
    query = select(products).where(_of(channel, account), products.c.active, products.c.product_id > after)
    return [record(row) for row in tx.rows(query.order_by(products.c.product_id).limit(limit))]


def count(tx: Transaction, channel: str, account: str) -> int:
    """How many products an account sells."""
    return int(tx.value(select(func.count()).select_from(products).where(_of(channel, account), products.c.active)))


def ids(tx: Transaction, channel: str, account: str) -> list[str]:
    """The ids of everything that an account sells."""
    return list(tx.execute(select(products.c.product_id).where(_of(channel, account), products.c.active)).scalars())


def version(tx: Transaction, channel: str, account: str) -> tuple[Any, ...]:
    """Something that is another one as soon as a product of the account has been stored, or is sold no more."""
    query = select(func.count(), func.max(products.c.updated_at), func.max(products.c.synced_at))
    return tuple(tx.execute(query.where(_of(channel, account), products.c.active)).one())


def all_grams(tx: Transaction, channel: str, account: str) -> list[str]:
    """The search column of everything that an account sells."""
    return list(tx.execute(select(products.c.grams).where(_of(channel, account), products.c.active)).scalars())


def candidates(
    tx: Transaction, channel: str, account: str, terms: Collection[tuple[str, bool]]
) -> list[tuple[str, str]]:
    """(product_id, grams) of products that hold one of the terms, each (gram, whether it is a prefix)."""
    if not terms:
        return []
    statement, query = _match(tx, terms)
    rows = tx.execute(statement, {"query": query, "channel": channel, "account": account}).mappings()
    return [(row["product_id"], row["grams"]) for row in rows]


def by_codes(tx: Transaction, channel: str, account: str, codes: Collection[str]) -> list[CodeHit]:
    """Products that have one of these codes exactly."""
    return _by_code(tx, channel, account, product_codes.c.code.in_(codes), limit=200) if codes else []


def by_code_prefix(tx: Transaction, channel: str, account: str, start: str, limit: int = 10) -> list[CodeHit]:
    """Products with a code that starts so and goes on."""
    return _by_code(
        tx, channel, account, and_(product_codes.c.code > start, product_codes.c.code < start + _END), limit=limit
    )


def record(row: RowMapping) -> Product:
    """A row as the record that travels."""
    item = ProductIn.model_validate(row["body"])
    kept = {name: getattr(item, name) for name in Product.model_fields if name in type(item).model_fields}
    variants = tuple(Variant(**{name: getattr(v, name) for name in Variant.model_fields}) for v in item.variants)
    return Product(
        **{**kept, "variants": variants, "updated_at": row["updated_at"]},
        channel=row["channel"],
        account=row["account"],
        synced_at=row["synced_at"],
    )


def _of(channel: str, account: str) -> ColumnElement[bool]:
    return and_(products.c.channel == channel, products.c.account == account)


def _by_code(tx: Transaction, channel: str, account: str, where: ColumnElement[bool], *, limit: int) -> list[CodeHit]:
    query: Select[Any] = (
        select(product_codes.c.code, product_codes.c.sku, products.c.product_id)
        .join(products, products.c.id == product_codes.c.product_row_id)
        .where(where, _of(channel, account), products.c.active)
        .order_by(product_codes.c.code, product_codes.c.id)
        .limit(limit)
    )
    return [CodeHit(row["code"], row["product_id"], row["sku"]) for row in tx.rows(query)]


def _match(tx: Transaction, terms: Collection[tuple[str, bool]]) -> tuple[TextClause, str]:
    if tx.dialect == "sqlite":
        return _SQLITE, " OR ".join('"{}"{}'.format(t.replace('"', '""'), "*" if prefix else "") for t, prefix in terms)
    quoted = ((t.replace("\\", "\\\\").replace("'", "''"), prefix) for t, prefix in terms)
    return _POSTGRESQL, " | ".join(f"'{t}':*" if prefix else f"'{t}'" for t, prefix in quoted)


def _stored(tx: Transaction, channel: str, account: str, product_ids: Collection[str]) -> dict[str, RowMapping]:
    """The stored rows; on PostgreSQL they stay locked until the end."""
    query = select(products.c.product_id, products.c.body, products.c.updated_at, products.c.grams_version)
    mine = query.where(_of(channel, account), products.c.product_id.in_(sorted(product_ids)))
    return {row["product_id"]: row for row in tx.rows(mine.order_by(products.c.product_id).with_for_update())}


def _compare(before: RowMapping | None, one: Searchable) -> Saved:
    if before is None:
        return Saved.CREATED
    if before["updated_at"] > one.item.updated_at:
        return Saved.STALE
    body = one.item.model_dump(mode="json")
    same = {**before["body"], "updated_at": None} == {**body, "updated_at": None}  # an export tells no time of change
    return Saved.UNCHANGED if same else Saved.UPDATED


def _is_outdated(before: RowMapping | None, one: Searchable) -> bool:
    return before is None or before["grams_version"] != one.grams_version


def _write(tx: Transaction, channel: str, account: str, due: Sequence[Searchable]) -> dict[str, int]:
    """Upsert the rows; product_id -> row id of those that were not older than the stored one."""
    statement = insert(tx, products)
    key = ("channel", "account", "product_id")
    guarded = statement.on_conflict_do_update(
        index_elements=list(key),
        set_={c.name: statement.excluded[c.name] for c in products.c if c.name not in ("id", *key)},
        where=products.c.updated_at <= statement.excluded.updated_at,
    ).returning(products.c.product_id, products.c.id)
    values = [
        {
            "channel": channel,
            "account": account,
            "product_id": one.item.product_id,
            "body": one.item.model_dump(mode="json"),
            "active": one.item.active,
            "grams": one.grams,
            "grams_version": one.grams_version,
            "updated_at": one.item.updated_at,
            "synced_at": tx.now(),
        }
        for one in due
    ]
    return {row.product_id: row.id for row in tx.execute(guarded, values)}


def _replace_codes(tx: Transaction, changed: dict[int, Searchable]) -> None:
    if not changed:
        return
    tx.execute(delete(product_codes).where(product_codes.c.product_row_id.in_(changed)))
    values = [
        {"product_row_id": row_id, "code": code, "sku": sku}
        for row_id, one in changed.items()
        for code, sku in one.codes
        if code
    ]
    if values:
        tx.execute(product_codes.insert(), values)
