"""Shadow judgements: what a person answered without having seen the draft, and whether the draft was right too."""

from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import changed, said
from cs_bot.store.tables import drafts, judgements

STATES = {None: "waiting", True: "right", False: "wrong"}


def counted() -> ColumnElement[bool]:
    """Judgements that say whether a draft was right. A shadow one that nobody has judged yet counts, as wrong: left
    out, what people do not get round to judging would make the rest look better than it is."""
    return or_(judgements.c.right.is_not(None), judgements.c.verdict == "shadow")


def right() -> ColumnElement[bool]:
    """Whether it was, as it counts."""
    return func.coalesce(judgements.c.right, false()).label("right")


def of_review(tx: Transaction, review_id: int) -> RowMapping | None:
    """What was answered there beside a hidden draft."""
    return tx.row(select(judgements).where(judgements.c.review_id == review_id, judgements.c.verdict == "shadow"))


def judge(tx: Transaction, review_id: int, *, right: bool) -> bool:
    """Keep whether the draft was right; False when that is known already."""
    done = tx.changed(update(judgements).where(judgements.c.review_id == review_id, _unjudged()).values(right=right))
    if done:
        changed(tx, "review", review_id)
    return done


def waiting(tx: Transaction, agent_id: int | None, limit: int) -> list[int]:
    """The reviews whose hidden draft nobody has judged and can still be read, the oldest first; of one agent or all."""
    found = select(judgements.c.review_id).join(drafts, drafts.c.id == judgements.c.draft_id)
    whose = [] if agent_id is None else [judgements.c.agent_id == agent_id]
    readable = drafts.c.forgotten_at.is_(None)
    rows = tx.rows(found.where(*whose, _unjudged(), readable).order_by(judgements.c.id).limit(limit))
    return [int(row["review_id"]) for row in rows]


def of_key(tx: Transaction, kind: str, route: str, *, since_version: int) -> dict[str, int]:
    """Of one kind and route: how many that count for calibration are right, wrong, and waiting."""
    key = (judgements.c.kind == kind, judgements.c.route == route, judgements.c.counts)
    return _by_state(tx, *key, judgements.c.policy_version >= since_version)


def by_state(tx: Transaction) -> dict[str, int]:
    """How many are right, wrong, and waiting."""
    return _by_state(tx)


def _by_state(tx: Transaction, *guard: Any) -> dict[str, int]:
    shadow = select(judgements.c.right, func.count().label("n")).where(judgements.c.verdict == "shadow", *guard)
    return {STATES[row["right"]]: int(row["n"]) for row in tx.rows(shadow.group_by(judgements.c.right))}


def _unjudged() -> ColumnElement[bool]:
    """As the partial index says it."""
    shadow = judgements.c.verdict == said("shadow")
    return and_(shadow, judgements.c.right.is_(None), judgements.c.forgotten_at.is_(None))
