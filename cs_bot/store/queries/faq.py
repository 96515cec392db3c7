"""FAQ entries and the search over their grams."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, bindparam, func, select, text
from sqlalchemy.engine import RowMapping

from cs_bot.records import Faq
from cs_bot.schemas import FaqIn
from cs_bot.store.database import Transaction
from cs_bot.store.queries.saved import Saved
from cs_bot.store.queries.sql import insert
from cs_bot.store.tables import faq

_SQLITE = text(
    "SELECT faq_id, language, grams FROM faq WHERE id IN (SELECT rowid FROM faq_search WHERE faq_search MATCH :query)"
)
_POSTGRESQL = text(
    "SELECT faq_id, language, grams FROM faq WHERE to_tsvector('simple', grams) @@ CAST(:query AS tsquery)"
)


@dataclass(frozen=True)
class Candidate:
    """An entry that holds at least one of the terms; `grams` has one line per wording."""

    faq_id: str
    language: str
    grams: str


def upsert(tx: Transaction, item: FaqIn, grams: str) -> bool:
    """Store an entry; True when the stored record is another one now (see save_many)."""
    return save_many(tx, [(item, grams)])[0].changed


def save_many(tx: Transaction, items: Sequence[tuple[FaqIn, str]]) -> list[Saved]:
    """Store entries with their search column (each id and language once); what became of each.

    An older updated_at changes nothing. An entry without one counts as written now, unless it says what is stored.
    """
    before = _stored(tx, [item.faq_id for item, _ in items])
    outcomes: dict[tuple[str, str], Saved] = {}
    due: dict[tuple[str, str], dict[str, Any]] = {}
    for item, grams in items:
        key = (item.faq_id, item.language)
        content = _content(item, grams)
        outcomes[key] = _compare(before.get(key), content)
        if outcomes[key] in (Saved.CREATED, Saved.UPDATED):
            due[key] = {**content, "updated_at": content["updated_at"] or tx.now()}
    written = _write(tx, list(due.values())) if due else set()
    for key in due.keys() - written:  # a newer one came in between
        outcomes[key] = Saved.STALE
    return [outcomes[item.faq_id, item.language] for item, _ in items]


def candidates(tx: Transaction, terms: Collection[tuple[str, bool]]) -> list[Candidate]:
    """Entries that hold at least one of the terms, each (gram, whether it is a prefix), by way of the index."""
    if not terms:
        return []
    statement, query = _match(tx, terms)
    rows = tx.execute(statement, {"query": query}).mappings()
    return [Candidate(row["faq_id"], row["language"], row["grams"]) for row in rows]


_COUNT = select(func.count()).select_from(faq)


def count(tx: Transaction) -> int:
    """How many entries there are in all languages."""
    return int(tx.value(_COUNT))


_BY_IDS = (
    select(faq).where(faq.c.faq_id.in_(bindparam("faq_ids", expanding=True))).order_by(faq.c.faq_id, faq.c.language)
)


def by_ids(tx: Transaction, faq_ids: Collection[str]) -> list[Faq]:
    """The entries of these ids in every language, ordered by id and language."""
    if not faq_ids:
        return []
    rows = tx.execute(_BY_IDS, {"faq_ids": list(faq_ids)}).mappings()
    return [_faq(row) for row in rows]


def get(tx: Transaction, faq_id: str, language: str) -> Faq | None:
    """One entry by its key."""
    row = tx.row(select(faq).where(faq.c.faq_id == faq_id, faq.c.language == language))
    return None if row is None else _faq(row)


def _match(tx: Transaction, terms: Collection[tuple[str, bool]]) -> tuple[TextClause, str]:
    if tx.dialect == "sqlite":
        return _SQLITE, " OR ".join('"{}"{}'.format(t.replace('"', '""'), "*" if prefix else "") for t, prefix in terms)
    quoted = ((t.replace("\\", "\\\\").replace("'", "''"), prefix) for t, prefix in terms)
    return _POSTGRESQL, " | ".join(f"'{t}':*" if prefix else f"'{t}'" for t, prefix in quoted)


def _content(item: FaqIn, grams: str) -> dict[str, Any]:
    return {**item.model_dump(), "variants": list(item.variants), "grams": grams}


def _stored(tx: Transaction, faq_ids: Collection[str]) -> dict[tuple[str, str], RowMapping]:
    rows = tx.rows(select(faq).where(faq.c.faq_id.in_(faq_ids)).order_by(faq.c.id).with_for_update())
    return {(row["faq_id"], row["language"]): row for row in rows}


def _compare(before: RowMapping | None, content: dict[str, Any]) -> Saved:
    if before is None:
        return Saved.CREATED
    if content["updated_at"] is not None and before["updated_at"] > content["updated_at"]:
        return Saved.STALE
    dated = content["updated_at"] or before["updated_at"]
    same = all(before[name] == value for name, value in {**content, "updated_at": dated}.items())
    return Saved.UNCHANGED if same else Saved.UPDATED


def _write(tx: Transaction, contents: Sequence[dict[str, Any]]) -> set[tuple[str, str]]:
    statement = insert(tx, faq)
    guarded = statement.on_conflict_do_update(
        index_elements=["faq_id", "language"],
        set_={c.name: statement.excluded[c.name] for c in faq.c if c.name not in ("id", "faq_id", "language")},
        where=faq.c.updated_at <= statement.excluded.updated_at,
    ).returning(faq.c.faq_id, faq.c.language)
    ordered = sorted(contents, key=lambda content: (content["faq_id"], content["language"]))
    return {(row.faq_id, row.language) for row in tx.execute(guarded, ordered)}


def _faq(row: RowMapping) -> Faq:
    return Faq(
        faq_id=row["faq_id"],
        language=row["language"],
        question=row["question"],
        variants=tuple(row["variants"]),
        answer=row["answer"],
        updated_at=row["updated_at"],
    )
