"""Products as the shop's catalog has them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.engine import RowMapping

from cs_bot.records import Product, Variant
from cs_bot.schemas import ProductIn
from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import insert
from cs_bot.store.tables import products


def upsert(tx: Transaction, channel: str, account: str, product: ProductIn) -> bool:
    """Store a product; True when the stored record is another one now. An older one changes nothing."""
    key = (
        (products.c.channel == channel)
        & (products.c.account == account)
        & (products.c.product_id == product.product_id)
    )
    before = tx.value(select(products.c.body).where(key).with_for_update())
    body = product.model_dump(mode="json")
    statement = insert(tx, products).values(
        channel=channel,
        account=account,
        product_id=product.product_id,
        body=body,
        updated_at=product.updated_at,
        synced_at=tx.now(),
    )
    written = tx.value(
        statement.on_conflict_do_update(
            index_elements=["channel", "account", "product_id"],
            set_={name: statement.excluded[name] for name in ("body", "updated_at", "synced_at")},
            where=products.c.updated_at <= statement.excluded.updated_at,
        ).returning(products.c.id)
    )
    return written is not None and before != body


def get(tx: Transaction, channel: str, account: str, product_id: str) -> ProductIn | None:
    """One product by its exact key."""
    body = tx.value(
        select(products.c.body).where(
            products.c.channel == channel, products.c.account == account, products.c.product_id == product_id
        )
    )
    return None if body is None else ProductIn.model_validate(body)


def by_ids(tx: Transaction, channel: str, account: str, product_ids: Sequence[str]) -> list[Product]:
    """The products of these ids; ids that there are not are left out."""
    if not product_ids:
        return []
    rows = tx.rows(
        select(products).where(
            products.c.channel == channel, products.c.account == account, products.c.product_id.in_(product_ids)
        )
    )
    return [_product(row) for row in rows]


def _product(row: RowMapping) -> Product:
    shape = ProductIn.model_validate(row["body"])
    return Product(
        channel=row["channel"],
        account=row["account"],
        synced_at=row["synced_at"],
        variants=tuple(Variant(**variant.model_dump()) for variant in shape.variants),
        **shape.model_dump(exclude={"description", "pictures", "variants"}),
    )
