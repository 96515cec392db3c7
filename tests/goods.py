"""A drawn catalog and what customers ask of it (tests/data/catalog_*.tsv)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cs_bot.knowledge.catalog import searchable
from cs_bot.schemas import ProductIn
from cs_bot.store.database import Database
from cs_bot.store.queries import products
from cs_bot.store.queries.saved import Saved
from tests.makers import ACCOUNT, CHANNEL, DAY

DATA = Path(__file__).parent / "data"


def product_in(product_id: str = "P1", title: str = "帆布鞋", **values: Any) -> ProductIn:
    """A product for 59 CNY."""
    filled = {"price": "59", "currency": "CNY", "updated_at": DAY}
    return ProductIn.model_validate({**filled, **values, "product_id": product_id, "title": title})


def shop_goods(updated_at: datetime = DAY) -> list[ProductIn]:
    """The drawn catalog."""
    return [
        _product(number, line.split("\t"), updated_at) for number, line in enumerate(_lines("catalog_products.tsv"))
    ]


def _product(number: int, cells: Sequence[str], updated_at: datetime) -> ProductIn:
    product_id, title, brand, category, attributes, variants = cells
    return product_in(
        product_id,
        title,
        brand=brand,
        category=category,
        price=f"{19 + number * 7}.00",
        attributes=dict(one.split("=") for one in attributes.split(";") if one),
        variants=[_variant(one) for one in variants.split(";") if one],
        updated_at=updated_at,
    )


def _variant(text: str) -> dict[str, Any]:
    sku, *rest = text.split(" ")
    names = ("颜色", "尺码") if not all(word.isascii() for word in rest) else ("Color", "Size")
    return {"sku": sku, "title": " / ".join(rest), "attributes": dict(zip(names, rest, strict=False)), "stock": 5}


@dataclass(frozen=True)
class Query:
    """What a customer writes, and the products that answer it (() = nothing that the shop has)."""

    kind: str
    text: str
    wanted: tuple[str, ...]


def queries() -> list[Query]:
    """The questions."""
    rows = [line.split("\t") for line in _lines("catalog_queries.tsv")]
    return [Query(kind, text, tuple(ids.split(",")) if ids != "-" else ()) for kind, text, ids in rows]


def unknown() -> list[str]:
    """Questions about what the shop does not have."""
    return list(_lines("catalog_unknown.txt"))


def _lines(name: str) -> Iterator[str]:
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


def put(database: Database, items: Sequence[ProductIn], account: str = ACCOUNT) -> list[Saved]:
    """Store products."""
    with database.write() as tx:
        return products.save_many(tx, CHANNEL, account, [searchable(item) for item in items])
