"""Pictures of products: which are to fetch and index, what they look like, whether that has changed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, not_, or_, select, true, update
from sqlalchemy.engine import RowMapping

from cs_bot.schemas import ProductIn
from cs_bot.store.database import Transaction
from cs_bot.store.tables import product_pictures, products

WAITING, READY, FAILED = "waiting", "ready", "failed"
_SMALL = [c for c in product_pictures.c if c.name != "features"]


@dataclass(frozen=True)
class IndexEntry:
    """One indexed picture without its features; `indexed_at` moves when they, or the variants it shows, change."""

    picture_id: int
    product_id: str
    skus: tuple[str, ...]
    indexed_at: datetime


def named(item: ProductIn) -> dict[str, tuple[str, ...]]:
    """The addresses that a product names, in order, each with the SKUs of the variants that it shows."""
    if not item.active:
        return {}
    found: dict[str, list[str]] = {url: [] for url in item.pictures if url.strip()}
    for variant in item.variants:
        if variant.picture and variant.picture.strip():
            found.setdefault(variant.picture, []).append(variant.sku)
    return {url: tuple(skus) for url, skus in found.items()}


def follow(tx: Transaction, channel: str, account: str, items: Mapping[int, ProductIn]) -> None:
    """Make the rows of these products (by row id) those that they name: what is named no more goes."""
    if not items:
        return
    stored = tx.rows(select(*_SMALL).where(product_pictures.c.product_row_id.in_(items)))
    before = {(row["product_row_id"], row["url"]): row for row in stored}
    new: list[dict[str, Any]] = []
    kept: set[int] = set()
    for row_id, item in items.items():
        for position, (url, skus) in enumerate(named(item).items()):
            row = before.get((row_id, url))
            if row is None:
                place = {"product_row_id": row_id, "position": position, "url": url, "skus": list(skus)}
                new.append({**place, "channel": channel, "account": account, **_fresh(tx)})
                continue
            kept.add(row["id"])
            _moved(tx, row, position, list(skus))
    gone = [row["id"] for row in before.values() if row["id"] not in kept]
    if gone:
        tx.execute(delete(product_pictures).where(product_pictures.c.id.in_(gone)))
    if new:
        tx.execute(product_pictures.insert(), new)


def _fresh(tx: Transaction) -> dict[str, Any]:
    return {"state": WAITING, "attempts": 0, "fence": 0, "due_at": tx.now()}


def _moved(tx: Transaction, row: RowMapping, position: int, skus: list[str]) -> None:
    if row["position"] == position and row["skus"] == skus:
        return
    values: dict[str, Any] = {"position": position, "skus": skus}
    if row["indexed_at"] is not None and row["skus"] != skus:
        values["indexed_at"] = tx.now()
    tx.execute(update(product_pictures).where(product_pictures.c.id == row["id"]).values(values))


def is_local(url: str) -> bool:
    """Whether a picture is a file: `file://…`, or a path without a scheme."""
    return not url[:5].lower().startswith(("http:", "https", "data:"))


def any_due(tx: Transaction, *, of: tuple[str, str] | None = None, local: bool = False) -> bool:
    """Whether a picture can be claimed now."""
    return tx.row(select(product_pictures.c.id).where(_due(tx, of, local)).limit(1)) is not None


def claim(
    tx: Transaction, *, lease_s: float, of: tuple[str, str] | None = None, local: bool = False
) -> RowMapping | None:
    """The next picture to index, leased and with its attempt counted; None when nothing is due.

    `local`: picture files too, which only the machine of the import has.
    """
    now = tx.now()
    row = tx.row(
        select(product_pictures.c.id)
        .where(_due(tx, of, local))
        .order_by(product_pictures.c.due_at, product_pictures.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    this = product_pictures.c.id == row["id"]
    counted = {"attempts": product_pictures.c.attempts + 1, "fence": product_pictures.c.fence + 1}
    tx.execute(update(product_pictures).where(this).values(**counted, lease_until=now + timedelta(seconds=lease_s)))
    return tx.row(
        select(*_SMALL, products.c.product_id)
        .join(products, products.c.id == product_pictures.c.product_row_id)
        .where(this)
    )


def _mine(picture_id: int, fence: int) -> ColumnElement[bool]:
    mine = and_(product_pictures.c.id == picture_id, product_pictures.c.fence == fence)
    return and_(mine, product_pictures.c.due_at.is_not(None))


def retry_later(tx: Transaction, picture_id: int, fence: int, delay_s: float, reason: str) -> bool:
    """Try again after a while."""
    values = {"lease_until": None, "due_at": tx.now() + timedelta(seconds=delay_s), "reason": reason[:300]}
    return tx.changed(update(product_pictures).where(_mine(picture_id, fence)).values(values))


def ready(tx: Transaction, picture_id: int, fence: int, *, sha256: str, features: bytes, version: int) -> bool:
    """Indexed; False when another process has it now or the product names it no more."""
    values = {
        "state": READY,
        "due_at": None,
        "lease_until": None,
        "reason": None,
        "sha256": sha256,
        "features": features,
        "features_version": version,
        "indexed_at": tx.now(),
    }
    return tx.changed(update(product_pictures).where(_mine(picture_id, fence)).values(values))


def failed(tx: Transaction, picture_id: int, fence: int, reason: str) -> bool:
    """Given up. What was indexed before (`--again`) stays."""
    values = {"state": FAILED, "due_at": None, "lease_until": None, "reason": reason[:300]}
    return tx.changed(update(product_pictures).where(_mine(picture_id, fence)).values(values))


def again(tx: Transaction, features_version: int, *, of: tuple[str, str] | None = None, failed: bool = True) -> int:
    """Put back in the queue what has features of another version and, where `failed`, what was given up; how many."""
    stale = and_(product_pictures.c.state == READY, product_pictures.c.features_version != features_version)
    wanted = or_(stale, product_pictures.c.state == FAILED) if failed else stale
    statement = update(product_pictures).where(wanted, product_pictures.c.due_at.is_(None), _account(of))
    return tx.execute(statement.values(state=WAITING, attempts=0, due_at=tx.now(), reason=None)).rowcount


def counts(tx: Transaction, of: tuple[str, str] | None = None) -> dict[str, int]:
    """How many pictures are in each state."""
    query = (
        select(product_pictures.c.state, func.count().label("n")).where(_account(of)).group_by(product_pictures.c.state)
    )
    return {**dict.fromkeys((WAITING, READY, FAILED), 0), **{row.state: row.n for row in tx.execute(query)}}


def next_due_at(tx: Transaction, *, of: tuple[str, str] | None = None, local: bool = False) -> datetime | None:
    """When the next picture can be claimed (a leased one when its lease ends); None when none waits."""
    when = func.coalesce(product_pictures.c.lease_until, product_pictures.c.due_at)
    query = select(func.min(when)).where(product_pictures.c.due_at.is_not(None), _account(of), _places(local))
    found: datetime | None = tx.value(query)
    return found


def files_waiting(tx: Transaction, of: tuple[str, str] | None = None) -> int:
    """How many pictures wait that are files of some machine."""
    query = select(func.count()).select_from(product_pictures)
    return int(tx.value(query.where(product_pictures.c.due_at.is_not(None), _account(of), not_(_places(False)))))


def failures(tx: Transaction, of: tuple[str, str] | None = None, limit: int = 1000) -> Sequence[RowMapping]:
    """What was given up and why, by product: product_id, position, url, reason."""
    query = (
        select(*_SMALL, products.c.product_id)
        .join(products, products.c.id == product_pictures.c.product_row_id)
        .where(product_pictures.c.state == FAILED, _account(of))
    )
    return tx.rows(query.order_by(products.c.product_id, product_pictures.c.position).limit(limit))


def of_product(tx: Transaction, channel: str, account: str, product_id: str) -> Sequence[RowMapping]:
    """The pictures of one product in order, without their features."""
    query = select(*_SMALL).join(products, products.c.id == product_pictures.c.product_row_id)
    mine = query.where(
        products.c.channel == channel, products.c.account == account, products.c.product_id == product_id
    )
    return tx.rows(mine.order_by(product_pictures.c.position))


def index_stamp(tx: Transaction, channel: str, account: str) -> tuple[Any, ...]:
    """Another value whenever the indexed pictures of an account have changed; reads an index alone, locks nothing."""
    query = select(func.count(), func.max(product_pictures.c.indexed_at), func.sum(product_pictures.c.id))
    return tuple(tx.execute(query.where(_indexed(channel, account))).one())


def index_entries(tx: Transaction, channel: str, account: str, version: int, limit: int) -> list[IndexEntry]:
    """What is indexed with features of that version, oldest rows first, at most `limit`."""
    query = (
        select(*_SMALL, products.c.product_id)
        .join(products, products.c.id == product_pictures.c.product_row_id)
        .where(_indexed(channel, account), product_pictures.c.features_version == version)
        .order_by(product_pictures.c.id)
        .limit(limit)
    )
    return [IndexEntry(row["id"], row["product_id"], tuple(row["skus"]), row["indexed_at"]) for row in tx.rows(query)]


def features_of(tx: Transaction, picture_ids: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """(picture id, stored features); about 75 kB each: ask for some hundred at most."""
    query = select(product_pictures.c.id, product_pictures.c.features).where(product_pictures.c.id.in_(picture_ids))
    for row in tx.rows(query.where(product_pictures.c.features.is_not(None))):
        yield row["id"], bytes(row["features"])


def _indexed(channel: str, account: str) -> ColumnElement[bool]:
    mine = and_(product_pictures.c.channel == channel, product_pictures.c.account == account)
    return and_(mine, product_pictures.c.indexed_at.is_not(None))


def _due(tx: Transaction, of: tuple[str, str] | None, local: bool) -> ColumnElement[bool]:
    now = tx.now()
    free = or_(product_pictures.c.lease_until.is_(None), product_pictures.c.lease_until < now)
    return and_(product_pictures.c.due_at <= now, free, _account(of), _places(local))


def _places(local: bool) -> ColumnElement[bool]:
    url = func.lower(func.substr(product_pictures.c.url, 1, 5))
    return true() if local else url.in_(("http:", "https", "data:"))


def _account(of: tuple[str, str] | None) -> ColumnElement[bool]:
    if of is None:
        return true()
    return and_(product_pictures.c.channel == of[0], product_pictures.c.account == of[1])
