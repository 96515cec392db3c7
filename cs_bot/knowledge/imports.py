"""Import of orders and FAQ entries: every row is checked first, then all are stored in one transaction or none."""

import pickle
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from cs_bot.errors import ConfigError, ImportRefused
from cs_bot.knowledge.cells import read_cells
from cs_bot.knowledge.faq import search_column
from cs_bot.knowledge.rows import Row, RowFile, open_rows
from cs_bot.schemas import FaqIn, OrderIn, Shape
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import faq, orders
from cs_bot.store.queries.saved import Saved

SHOWN = 50  # bad rows that are told in full; the rest is counted
BATCH = 500  # rows a statement

Progress = Callable[[int, int], None]
Item = TypeVar("Item", bound=Shape)


@dataclass(frozen=True)
class ImportResult:
    """How many rows did what; `ignored_columns` are those of a CSV that no schema knows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    ignored_columns: tuple[str, ...] = ()


def import_orders(
    database: Database,
    path: Path,
    *,
    channel: str,
    account: str,
    timezone: str | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Store the orders of a CSV or JSON Lines file (fields of schemas.OrderIn) under one account.

    CSV: a header names the fields in any order, unknown columns are ignored and named in the result, empty cells are
    missing values, times without a zone are local in `timezone` (None: refused), `lines` is a JSON list or
    `sku:quantity:name; …`. An older updated_at than the stored one changes nothing and is counted as stale.
    `progress(done, total)` counts rows. Raises ImportRefused, ConfigError (unknown timezone), StoreUnavailable.
    """
    return _import(
        database,
        path,
        Plan(
            OrderIn,
            lambda item: item.order_id,
            "order_id",
            lambda tx, items: orders.save_many(tx, channel, account, items),
        ),
        timezone,
        progress,
    )


def import_faq(
    database: Database, path: Path, *, timezone: str | None = None, progress: Progress | None = None
) -> ImportResult:
    """Store the FAQ entries of a CSV or JSON Lines file (fields of schemas.FaqIn), like import_orders.

    CSV: `variants` is a JSON list or wordings separated by `|`. A row without updated_at counts as written now, unless
    it says what is stored.
    """
    plan = Plan(
        FaqIn,
        lambda item: (item.faq_id, item.language),
        "faq_id and language",
        lambda tx, items: faq.save_many(tx, [(item, search_column(item)) for item in items]),
    )
    return _import(database, path, plan, timezone, progress)


@dataclass(frozen=True)
class Plan(Generic[Item]):
    """What is special to one noun. `save` stores a batch; `finish` runs once in the same transaction, after all."""

    shape: type[Item]
    key: Callable[[Item], Hashable]
    key_name: str
    save: Callable[[Transaction, Sequence[Item]], list[Saved]]
    finish: Callable[[Transaction], None] = lambda tx: None


class Source(Protocol):
    """Where rows come from; it can be read several times."""

    def rows(self) -> Iterator[Row]:
        """Every record in order."""

    def estimate(self) -> int:
        """About how many there are."""


@dataclass
class _Problems:
    """Bad rows: the first ones in full, the rest as a number."""

    shown: list[tuple[int, str]] = field(default_factory=list)
    more: int = 0

    def add(self, line: int, problem: str) -> None:
        if len(self.shown) < SHOWN:
            self.shown.append((line, problem))
        else:
            self.more += 1


class Refused(Exception):
    """A row is bad; the text says why, without the row's values."""


def _import(
    database: Database, path: Path, plan: Plan[Item], timezone: str | None, progress: Progress | None
) -> ImportResult:
    fields = plan.shape.model_fields
    required = {name for name, about in fields.items() if about.is_required()}
    file = open_rows(path, known=set(fields), required=required)
    zone = zone_named(timezone)
    result = store_rows(database, file, plan, lambda row: _item(row, plan.shape, file, zone), progress)
    return replace(result, ignored_columns=tuple(name for name in file.columns if name and name not in fields))


def store_rows(
    database: Database, source: Source, plan: Plan[Item], read: Callable[[Row], Item], progress: Progress | None
) -> ImportResult:
    """Check every row, then store all in one transaction. `read` makes a row an item or raises Refused.

    Raises ImportRefused with every bad row.
    """
    with TemporaryFile(prefix="cs-bot-import-") as checked:
        total = _check(source, plan, read, checked, progress)
        counts: Counter[Saved] = Counter()
        with database.write() as tx:
            for batch in _batches(checked, total):
                counts.update(plan.save(tx, batch))
                _tell(progress, (total + counts.total()) // 2, total)
            plan.finish(tx)
    _tell(progress, total, total)
    return ImportResult(
        created=counts[Saved.CREATED],
        updated=counts[Saved.UPDATED],
        unchanged=counts[Saved.UNCHANGED],
        stale=counts[Saved.STALE],
    )


def _check(
    source: Source, plan: Plan[Item], read: Callable[[Row], Item], checked: IO[bytes], progress: Progress | None
) -> int:
    """Read every row and put it aside in `checked`, so that the database is locked for the writing alone.

    How many there are. Raises ImportRefused with all that is wrong.
    """
    problems = _Problems()
    first_line: dict[Hashable, int] = {}
    estimate, batch = source.estimate() if progress is not None else 0, list[Item]()
    for row in source.rows():
        try:
            item = read(row)
            before = first_line.setdefault(plan.key(item), row.line)
            if before != row.line:
                raise Refused(f"{plan.key_name} stands on line {before} already")
            batch.append(item)
        except Refused as problem:
            problems.add(row.line, str(problem))
        if len(batch) == BATCH:
            pickle.dump(batch, checked)
            batch.clear()
            _tell(progress, len(first_line) // 2, max(estimate, len(first_line)))
    if problems.shown:
        raise ImportRefused(problems.shown, more=problems.more)
    pickle.dump(batch, checked)
    return len(first_line)


def _batches(checked: IO[bytes], total: int) -> Iterator[list[Any]]:
    checked.seek(0)
    while total > 0:
        batch = pickle.load(checked)
        total -= len(batch)
        yield batch


def _item(row: Row, shape: type[Item], file: RowFile, zone: ZoneInfo | None) -> Item:
    if row.problem is not None:
        raise Refused(row.problem)
    values, problems = read_cells(row.values, zone) if file.is_csv else (row.values, [])
    return item_of(shape, values, problems)


def item_of(shape: type[Item], values: Mapping[str, Any], problems: Sequence[str] = ()) -> Item:
    """The item of these values; raises Refused with `problems` and with what the schema says of other fields."""
    told = list(problems)
    try:
        item = shape.model_validate(values)
    except ValidationError as found:
        named = {problem.split(":")[0] for problem in problems}
        told += [text for place, text in map(_told, found.errors(include_input=False)) if place not in named]
    if told:
        raise Refused("; ".join(told))
    return item


def _told(error: Any) -> tuple[str, str]:
    place = ".".join(map(str, error["loc"]))
    return place, f"{place}: {error['msg']}"


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def zone_named(name: str | None) -> ZoneInfo | None:
    """The time zone of that name; raises ConfigError when nobody knows it."""
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"unknown time zone {name!r}") from None
