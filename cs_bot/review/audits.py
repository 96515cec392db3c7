"""Blind audits: replies that were sent alone, judged by people who do not see how sure the gate was."""

from datetime import datetime
from typing import Any

from cs_bot.errors import Conflict, NotFound
from cs_bot.records import Record
from cs_bot.review.cards import CardMessage, messages_of, unscored
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import audits, messages, turns


class AuditCard(Record):
    """A reply to judge, with what it answered and the records it rests on: no score, signal, reason or mode.

    The records come without how surely they were found.
    """

    audit_id: int
    sent_at: datetime
    messages: tuple[CardMessage, ...]
    reply: str
    facts: dict[str, Any] | None


def waiting(database: Database, limit: int = 1, *, after: int = 0) -> list[AuditCard]:
    """The oldest replies that nobody has judged, beyond the audit `after`."""
    with database.read() as tx:
        return [_card(tx, row) for row in audits.waiting(tx, limit, after=after)]


def how_many(database: Database, at_most: int) -> int:
    """How many wait, counted up to `at_most`."""
    with database.read() as tx:
        return len(audits.waiting(tx, at_most))


def judge(database: Database, audit_id: int, *, agent_id: int, right: bool, note: str = "") -> None:
    """Keep a verdict: would a careful colleague have sent this as it is? Raises NotFound, Conflict when judged."""
    with database.write() as tx:
        if audits.get(tx, audit_id) is None:
            raise NotFound("there is no such audit")
        if not audits.judge(tx, audit_id, agent_id=agent_id, right=right, note=note):
            raise Conflict("somebody has judged this reply already")


def _card(tx: Transaction, row: Row) -> AuditCard:
    found = turns.latest_draft(tx, row["turn_id"])
    return AuditCard(
        audit_id=row["id"],
        sent_at=row["sampled_at"],
        messages=messages_of(tx, messages.rows_of(tx, messages.of_turn(row["turn_id"]))),
        reply=row["reply"] or "",
        facts=None if found is None else unscored(found["facts"]),
    )
