"""Import of a catalog file: every product is checked first, then all are stored in one transaction or none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cs_bot.knowledge.catalog.columns import searchable
from cs_bot.knowledge.exports import How, open_catalog_file
from cs_bot.knowledge.imports import ImportResult, Plan, Progress, Refused, item_of, store_rows, zone_named
from cs_bot.knowledge.rows import Row
from cs_bot.schemas import ProductIn
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import products
from cs_bot.store.queries.saved import Saved


@dataclass(frozen=True)
class CatalogImport:
    """What an import did. `unsold`: products of the file that are drafts, hidden or archived; `gone`: see complete."""

    rows: ImportResult
    format: str
    unsold: int = 0
    gone: int = 0


def import_catalog(
    database: Database,
    path: Path,
    *,
    channel: str,
    account: str,
    file_format: str = "auto",
    currency: str | None = None,
    shop_url: str | None = None,
    timezone: str | None = None,
    complete: bool = False,
    progress: Progress | None = None,
) -> CatalogImport:
    """Store the products of a file (own CSV or JSON Lines, Shopify or WooCommerce export) under one account.

    A product without updated_at counts as of when the file was last written. `complete`: the file is the whole
    catalog, and what it does not name is no longer sold. Raises ImportRefused with every bad line, ConfigError,
    StoreUnavailable.
    """
    exported_at = min(datetime.fromtimestamp(path.stat().st_mtime, UTC), datetime.now(UTC))
    how = How(currency=currency, shop_url=shop_url, zone=zone_named(timezone), exported_at=exported_at)
    file = open_catalog_file(path, how, file_format)
    run = _Run(channel, account, exported_at, complete)
    plan = Plan(ProductIn, lambda item: item.product_id, "product_id", run.save, run.finish)
    result = store_rows(database, file, plan, _read, progress)
    return CatalogImport(replace(result, ignored_columns=file.ignored_columns), file.format, run.unsold, run.gone)


def _read(row: Row) -> ProductIn:
    if row.problem is not None and not row.values:
        raise Refused(row.problem)
    return item_of(ProductIn, row.values, row.problem.split("; ") if row.problem else ())


class _Run:
    """What is saved, batch by batch."""

    def __init__(self, channel: str, account: str, exported_at: datetime, complete: bool) -> None:
        self.channel, self.account = channel, account
        self.exported_at, self.complete = exported_at, complete
        self.seen: set[str] = set()
        self.unsold = self.gone = 0

    def save(self, tx: Transaction, items: Sequence[ProductIn]) -> list[Saved]:
        """Store a batch."""
        self.seen.update(item.product_id for item in items)
        self.unsold += sum(not item.active for item in items)
        return products.save_many(tx, self.channel, self.account, [searchable(item) for item in items])

    def finish(self, tx: Transaction) -> None:
        """Take out what a complete file does not name; what was heard of after its export stays."""
        if not self.complete:
            return
        for product_id in sorted(set(products.ids(tx, self.channel, self.account)) - self.seen):
            item = products.get(tx, self.channel, self.account, product_id)
            if item is not None and item.updated_at <= self.exported_at:
                ended = item.model_copy(update={"active": False, "updated_at": self.exported_at})
                products.save_many(tx, self.channel, self.account, [searchable(ended)])
                self.gone += 1
