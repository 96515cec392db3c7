"""What webhooks bring: raw events, the conversations they come to, messages; many rows with one statement.

The rows of one call are of one account and have different ids. They are written in the order of those ids, so that two
transactions seldom wait for each other crosswise.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, bindparam, cast, delete, literal_column, null, select, union_all, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import Owner
from cs_bot.store.database import Transaction
from cs_bot.store.queries import conversations as one_conversation
from cs_bot.store.queries.hashed import hashed_id
from cs_bot.store.queries.sql import insert_for, said, several
from cs_bot.store.tables import UtcTime, conversations, customers, events, messages, reviews, revocations

NEW = 2  # next_seq of a conversation whose first message is arriving
KEY = ["channel", "account", "external_id"]


def _of(table: Table, ids: str) -> ColumnElement[bool]:
    """The rows of one account whose platform ids are in the list that the parameter `ids` gives."""
    account = (table.c.channel == bindparam("channel")) & (table.c.account == bindparam("account"))
    return account & table.c.external_id.in_(bindparam(ids, expanding=True))


@cache
def _new(dialect: str, table: Table) -> Any:
    fresh = insert_for(dialect, table).on_conflict_do_nothing(index_elements=KEY)
    return fresh.returning(table.c.external_id, table.c.id)


def _add(
    tx: Transaction, table: Table, rows: Sequence[Mapping[str, Any]], forgotten: Collection[str] = ()
) -> list[int | None]:
    """The ids of the rows that are new. What is known stays, None is its id; another body of it is counted."""
    now = tx.now()
    fresh = [{"received_at": now, **row} for row in rows if row["external_id"] not in forgotten]
    fresh.sort(key=lambda row: row["external_id"])
    added = {row.external_id: row.id for row in tx.execute(_new(tx.dialect, table), several(fresh))} if fresh else {}
    for row in rows:
        if row["external_id"] not in added:
            _count_conflict(tx, table, row)
    return [added.get(row["external_id"]) for row in rows]


def _count_conflict(tx: Transaction, table: Table, row: Mapping[str, Any]) -> None:
    """Of a forgotten one nothing is left to compare."""
    same = [table.c[name] == row[name] for name in KEY]
    other = table.c.body_sha256 != row["body_sha256"], table.c.forgotten_at.is_(None)
    tx.execute(update(table).where(*same, *other).values(conflicts=table.c.conflicts + 1))


_FORGOTTEN_EVENTS = select(events.c.external_id).where(_of(events, "hashed"))


def add_events(tx: Transaction, channel: str, account: str, rows: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """Store raw deliveries, each a row of values without channel and account; their ids.

    None: this delivery id is known, also as the hash that retention leaves of it (another body is flagged, the first
    is kept).
    """
    of = {"channel": channel, "account": account}
    hashed = {hashed_id(channel, account, row["external_id"]): row["external_id"] for row in rows}
    forgotten = {hashed[form] for form in tx.execute(_FORGOTTEN_EVENTS, {**of, "hashed": list(hashed)}).scalars()}
    return _add(tx, events, [{**of, **row} for row in rows], forgotten)


def add_messages(tx: Transaction, channel: str, account: str, rows: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """Store messages in conversations that `arrive` has locked and in which none of them was forgotten; their ids.

    None: the id is known for good (another body is flagged, the first is kept).
    """
    return _add(tx, messages, [{"channel": channel, "account": account, **row} for row in rows])


class Arriving(NamedTuple):
    """A message that comes in, by the platform's ids."""

    conversation: str
    message: str
    customer: str


class Arrived(NamedTuple):
    """A conversation's row, locked, and what a new message finds there."""

    row: RowMapping
    open_review_id: int | None
    revoked_at: datetime | None  # the message's revoke came first
    forgotten: bool  # the message was here before, and only its hash is left
    customer: RowMapping | None  # who wrote it, when known already


@cache
def _opened(dialect: str) -> Any:
    new = insert_for(dialect, conversations)
    taken = {"updated_at": new.excluded.updated_at, "next_seq": conversations.c.next_seq + 1}
    return new.on_conflict_do_update(index_elements=KEY, set_=taken).returning(*conversations.c)


def _around() -> Any:
    """Who writes, and what is seldom there, in one statement; `external_id` says to whom or what each row belongs."""
    c, m = conversations.c, messages.c
    writer = select(
        literal_column("'writer'").label("what"),
        *(customers.c[name] for name in ("external_id", "id", "name", "emails", "phones")),
        cast(null(), UtcTime).label("at"),
    )
    before = select(literal_column("'before'"), c.external_id, c.id, c.owner, null(), null(), c.owner_changed_at)
    forgotten = select(literal_column("'forgotten'"), m.external_id, m.id, *[null()] * 4)
    revoked = select(literal_column("'revoked'"), revocations.c.external_id, *[null()] * 4, revocations.c.revoked_at)
    review = select(literal_column("'review'"), c.external_id, reviews.c.id, *[null()] * 4).join(
        reviews, reviews.c.conversation_id == c.id
    )
    is_open = c.id.in_(bindparam("ids", expanding=True)), reviews.c.state == said("open")
    return union_all(
        writer.where(_of(customers, "writers")),
        before.where(_of(conversations, "hashed_conversations")),
        forgotten.where(_of(messages, "hashed_messages")),
        revoked.where(_of(revocations, "messages")),
        review.where(*is_open),
    )


_AROUND = _around()


def arrive(tx: Transaction, channel: str, account: str, arriving: Sequence[Arriving]) -> list[Arrived]:
    """The conversations of new messages, made when new, locked until the transaction ends, and what is there.

    Each has taken its next number: next_seq - 1 is this message's (a repeated one leaves a gap). The look around is a
    statement of its own: one that waited for the lock still sees what was before its wait.
    """
    of, now = {"channel": channel, "account": account}, tx.now()
    names = sorted(one.conversation for one in arriving)
    new = {**of, "created_at": now, "updated_at": now, "next_seq": NEW}
    opened = tx.execute(_opened(tx.dialect), several([{**new, "external_id": name} for name in names])).mappings()
    rows = {row["external_id"]: row for row in opened}
    hashed = {name: hashed_id(channel, account, name) for one in arriving for name in (one.conversation, one.message)}
    looked_for = {
        "ids": [row["id"] for row in rows.values()],
        "writers": [one.customer for one in arriving],
        "messages": [one.message for one in arriving],
        "hashed_messages": [hashed[one.message] for one in arriving],
        "hashed_conversations": [hashed[name] for name in names],
    }
    found = tx.execute(_AROUND, {**of, **looked_for}).mappings()
    around = {(row["what"], row["external_id"]): row for row in found}
    return [
        _arrived(
            tx,
            rows[one.conversation],
            before=around.get(("before", hashed[one.conversation])),
            review=around.get(("review", one.conversation)),
            revoked=around.get(("revoked", one.message)),
            forgotten=("forgotten", hashed[one.message]) in around,
            customer=around.get(("writer", one.customer)),
        )
        for one in arriving
    ]


def _arrived(
    tx: Transaction,
    row: RowMapping,
    *,
    before: RowMapping | None,
    review: RowMapping | None,
    revoked: RowMapping | None,
    forgotten: bool,
    customer: RowMapping | None,
) -> Arrived:
    if row["next_seq"] == NEW and row["owner_changed_at"] is None:
        row = _as_before_it_was_forgotten(tx, row, before, forgotten)
    open_review_id = None if review is None else review["id"]
    return Arrived(row, open_review_id, None if revoked is None else revoked["at"], forgotten, customer)


def _as_before_it_was_forgotten(
    tx: Transaction, row: RowMapping, before: RowMapping | None, forgotten: bool
) -> RowMapping:
    """A customer's deletion must not give a conversation back to the bot that a person has taken over.

    Nor may a repeated message bring the conversation's id back.
    """
    if forgotten:
        tx.execute(delete(conversations).where(conversations.c.id == row["id"]))
    elif before is not None and before["name"] != Owner.BOT:
        one_conversation.set_owner(tx, row, Owner(before["name"]), before["at"])
        return one_conversation.get(tx, row["id"])
    return row
