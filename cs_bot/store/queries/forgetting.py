"""Taking out of rows what is personal: what stays are numbers, enums, our own ids and hashes."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, exists, or_, select, update

from cs_bot.store.database import Transaction
from cs_bot.store.queries.hashed import hashed_id
from cs_bot.store.tables import (
    audits,
    decisions,
    drafts,
    events,
    judgements,
    looks,
    messages,
    outbound,
    picture_uses,
    pictures,
    product_pictures,
    review_history,
    reviews,
)

Which = ColumnElement[bool]

# What stays of stored records, by name; anything else goes, also what a later version adds.
LOOK_KEEPS = ("schema", "kinds", "notes", "engine", "engine_version", "prompt_version", "seconds", "signals")
READING_KEEPS = ("schema", "kind", "kinds", "language", "intent", "reasons", "notes", "numbers", "aspects")
FACTS_KEEPS = (
    "schema",
    "owned_by",
    "second_field",
    "order_max_age_s",
    "products",
    "product_max_age_s",
    "faq",
    "reasons",
)
DRAFT_KEEPS = (
    *("schema", "template_id", "language", "kind", "route"),
    *("engine", "engine_version", "prompt_version", "signals"),
)
EVENT_GONE = {"body": None, "body_sha256": "", "problem": None}
MESSAGE_GONE = {"text": "", "body_sha256": ""}
DRAFT_GONE = {"template": "", "slots": {}, "text": "", "fingerprint": ""}


def forget_events(tx: Transaction, which: Which) -> int:
    """The raw body and the delivery's id; how many."""
    ids = _ids(tx, events, which)
    return _by_row(tx, events, which, lambda row: {"external_id": ids[row["id"]], **EVENT_GONE})


def forget_messages(tx: Transaction, which: Which) -> int:
    """The words and the platform's id; the end, the times and the place in the conversation stay (the ledger)."""
    ids = _ids(tx, messages, which)
    return _by_row(tx, messages, which, lambda row: {"external_id": ids[row["id"]], **MESSAGE_GONE})


def forget_looks(tx: Transaction, which: Which) -> int:
    """What was read; kinds, states and guards of fields, and signals stay."""
    return _by_row(tx, looks, which, lambda row: {"picture_sha256": "", "body": _less_look(row["body"])})


def forget_drafts(tx: Transaction, which: Which) -> int:
    """What was asked, fetched of the order, and written; kind, route, intent, scores and signals stay."""
    return _by_row(tx, drafts, which, _less_draft)


def forget_decisions(tx: Transaction, which: Which) -> int:
    """The suggestion to the agent; everything that calibration counts stays."""
    return _by_row(tx, decisions, which, lambda row: {"body": {**row["body"], "suggestion": ""}})


def forget_outbound(tx: Transaction, which: Which) -> int:
    """What was sent, and the platform's id of it."""
    gone: dict[str, Any] = {"text": "", "extra": {}, "facts": {}, "provider_id": None, "detail": None}
    return _at_once(tx, outbound, which, gone)


def forget_reviews(tx: Transaction, which: Which) -> int:
    """The suggestion; reasons, outcome and times stay."""
    return _at_once(tx, reviews, which, {"suggestion": ""})


def forget_history(tx: Transaction, which: Which) -> int:
    """What people noted; who did what and when stays."""
    return _at_once(tx, review_history, which, {"detail": {}})


def forget_judgements(tx: Transaction, which: Which) -> int:
    """The agent's words and the numbers in them; verdict and distance stay."""
    return _at_once(tx, judgements, which, {"text": None, "flags": []})


def forget_audits(tx: Transaction, which: Which) -> int:
    """What the auditor noted; the verdict stays."""
    return _at_once(tx, audits, which, {"note": ""})


def let_go_of_pictures(tx: Transaction, which: Which) -> set[int]:
    """Pictures of these uses are no longer referred to by them; the pictures' ids."""
    found = tx.rows(select(picture_uses.c.id, picture_uses.c.picture_id).where(which))
    if found:
        ids = [row["id"] for row in found]
        tx.execute(update(picture_uses).where(picture_uses.c.id.in_(ids)).values(picture_id=None, source=None))
    return {row["picture_id"] for row in found if row["picture_id"] is not None}


def lock_unused_picture(tx: Transaction, picture_id: int) -> tuple[str, str] | None:
    """SHA-256 of bytes and of pixels of a picture that nothing refers to, locked; None when it is used, the shop's own,
    or gone.

    The question is asked after the lock: whoever starts to use it meanwhile (fetch) waits, or is seen.
    """
    found = select(pictures.c.sha256, pictures.c.pixels_sha256).where(pictures.c.id == picture_id)
    row = tx.row(found.with_for_update())
    if row is None:
        return None
    used = exists().where(picture_uses.c.picture_id == picture_id)
    the_shops = exists().where(product_pictures.c.sha256 == row["sha256"])
    return None if tx.value(select(or_(used, the_shops))) else (row["sha256"], row["pixels_sha256"])


def drop_picture(tx: Transaction, picture_id: int) -> None:
    """Remove a picture's row."""
    tx.execute(pictures.delete().where(pictures.c.id == picture_id))


def _ids(tx: Transaction, table: Table, which: Which) -> dict[int, str]:
    """What takes the place of each row's external id: its hash.

    A delivery that came again in the very moment its first was forgotten would have the same: it is called a twin.
    """
    fresh = which & table.c.forgotten_at.is_(None)
    rows = tx.rows(select(table.c.id, table.c.channel, table.c.account, table.c.external_id).where(fresh))
    hashed = {row["id"]: hashed_id(row["channel"], row["account"], row["external_id"]) for row in rows}
    same = select(table.c.id, table.c.external_id).where(table.c.external_id.in_(set(hashed.values())))
    taken = {row["external_id"] for row in tx.rows(same) if hashed.get(row["id"]) != row["external_id"]}
    return {row_id: f"twin:{row_id}" if name in taken else name for row_id, name in hashed.items()}


def _less_look(body: dict[str, Any]) -> dict[str, Any]:
    fields = {name: {**field, "value": None, "box": None} for name, field in body.get("fields", {}).items()}
    return {**_kept(body, LOOK_KEEPS), "picture_sha256": "", "fields": fields, "lines": []}


def _less_draft(row: Mapping[Any, Any]) -> dict[str, Any]:
    draft = row["draft"]
    return {
        "reading": _kept(row["reading"], READING_KEEPS),
        "facts": _kept(row["facts"], FACTS_KEEPS),
        "draft": None if draft is None else {**_kept(draft, DRAFT_KEEPS), **DRAFT_GONE},
    }


def _kept(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: body[name] for name in names if name in body}


def _at_once(tx: Transaction, table: Table, which: Which, gone: dict[str, Any]) -> int:
    fresh = which & table.c.forgotten_at.is_(None)
    return tx.execute(update(table).where(fresh).values(forgotten_at=tx.now(), **gone)).rowcount


def _by_row(tx: Transaction, table: Table, which: Which, gone: Callable[[Mapping[Any, Any]], dict[str, Any]]) -> int:
    rows = tx.rows(select(table).where(which, table.c.forgotten_at.is_(None)))
    changes = [{**gone(row), "row_id": row["id"], "forgotten_at": tx.now()} for row in rows]
    if changes:
        names = [name for name in changes[0] if name != "row_id"]
        values = {name: bindparam(name, type_=table.c[name].type) for name in names}
        tx.execute(update(table).where(table.c.id == bindparam("row_id")).values(**values), changes)
    return len(changes)
