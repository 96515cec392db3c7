"""The human queue: open reviews, their claims and history, judgements."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import Reason, ordered
from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import changed
from cs_bot.store.tables import agents, conversations, judgements, review_history, reviews


def open_of(tx: Transaction, conversation_id: int) -> RowMapping | None:
    """The open review of a conversation."""
    return tx.row(select(reviews).where(reviews.c.conversation_id == conversation_id, reviews.c.state == "open"))


def get(tx: Transaction, review_id: int) -> RowMapping | None:
    """One review."""
    return tx.row(select(reviews).where(reviews.c.id == review_id))


def open_or_join(
    tx: Transaction,
    conversation_id: int,
    *,
    reasons: Sequence[Reason],
    suggestion: str,
    due_s: float,
    kind: str | None,
    draft_id: int | None,
    decision_id: int | None,
) -> int:
    """Open a review, or add the reasons and the newer draft to the open one; its id. The conversation is locked."""
    now = tx.now()
    found = open_of(tx, conversation_id)
    if found is not None:
        merged = ordered([*(Reason(r) for r in found["reasons"]), *reasons])
        newer = {"draft_id": draft_id, "decision_id": decision_id} if draft_id is not None else {}
        bump(tx, found["id"], reasons=list(merged), **newer)
        record(tx, found["id"], None, "joined", {"reasons": list(reasons)})
        return int(found["id"])
    review_id = int(
        tx.value(
            reviews.insert()
            .values(
                conversation_id=conversation_id,
                draft_id=draft_id,
                decision_id=decision_id,
                state="open",
                kind=kind,
                reasons=list(reasons),
                suggestion=suggestion[:300],
                opened_at=now,
                due_at=now + timedelta(seconds=due_s),
            )
            .returning(reviews.c.id)
        )
    )
    record(tx, review_id, None, "opened", {"reasons": list(reasons)})
    changed(tx, "review", review_id)
    return review_id


def bump(tx: Transaction, review_id: int, **values: Any) -> None:
    """Change an open review from outside: its version moves, so that a decision on the old state is refused."""
    tx.execute(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state == "open")
        .values(version=reviews.c.version + 1, **values)
    )
    changed(tx, "review", review_id)


def move(tx: Transaction, review_id: int, version: int, *, mine: int | None = None, **values: Any) -> bool:
    """An agent's change: only of the version the agent has seen, and (with `mine`) only while the claim holds."""
    guard = [reviews.c.id == review_id, reviews.c.state == "open", reviews.c.version == version]
    if mine is not None:
        guard += [reviews.c.claimed_by == mine, reviews.c.claimed_until >= tx.now()]
    done = tx.changed(update(reviews).where(*guard).values(version=reviews.c.version + 1, **values))
    if done:
        changed(tx, "review", review_id)
    return done


def claim(tx: Transaction, review_id: int, version: int, agent_id: int, until: datetime) -> bool:
    """Take a free review (or one's own, or one whose claim has run out)."""
    free = or_(reviews.c.claimed_by.is_(None), reviews.c.claimed_by == agent_id, reviews.c.claimed_until < tx.now())
    done = tx.changed(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state == "open", reviews.c.version == version, free)
        .values(version=reviews.c.version + 1, claimed_by=agent_id, claimed_until=until)
    )
    if done:
        changed(tx, "review", review_id)
    return done


def renew(tx: Transaction, review_id: int, agent_id: int, until: datetime) -> bool:
    """Prolong a claim that still holds; the version stays, the agent's page is unchanged."""
    return tx.changed(
        update(reviews)
        .where(
            reviews.c.id == review_id,
            reviews.c.state == "open",
            reviews.c.claimed_by == agent_id,
            reviews.c.claimed_until >= tx.now(),
        )
        .values(claimed_until=until)
    )


def release_stale(tx: Transaction) -> int:
    """Free the reviews whose claim has run out; how many.

    They are locked as they are found: one that an agent claims at this moment is not taken away again.
    """
    stale = tx.rows(
        select(reviews.c.id, reviews.c.claimed_by)
        .where(reviews.c.state == "open", reviews.c.claimed_by.is_not(None), reviews.c.claimed_until < tx.now())
        .order_by(reviews.c.id)
        .with_for_update(skip_locked=True)
    )
    for row in stale:
        bump(tx, row["id"], claimed_by=None, claimed_until=None)
        record(tx, row["id"], None, "claim_ran_out", {"agent_id": row["claimed_by"]})
    return len(stale)


def close(tx: Transaction, review_id: int, outcome: str) -> None:
    """Close from outside (revoked, handed over)."""
    tx.execute(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state == "open")
        .values(state="closed", outcome=outcome, closed_at=tx.now(), version=reviews.c.version + 1)
    )
    record(tx, review_id, None, outcome, {})
    changed(tx, "review", review_id)


def record(tx: Transaction, review_id: int, agent_id: int | None, action: str, detail: dict[str, Any]) -> None:
    """One line of history."""
    tx.execute(
        review_history.insert().values(
            review_id=review_id, at=tx.now(), agent_id=agent_id, action=action, detail=detail
        )
    )


def history(tx: Transaction, review_id: int) -> Sequence[RowMapping]:
    """All lines, oldest first."""
    return tx.rows(select(review_history).where(review_history.c.review_id == review_id).order_by(review_history.c.id))


def add_judgement(tx: Transaction, **values: Any) -> None:
    """Keep a person's verdict."""
    tx.execute(judgements.insert().values(at=tx.now(), **values))


def verdict_of_turn(tx: Transaction, turn_id: int) -> RowMapping | None:
    """The newest judgement of a turn's draft."""
    return tx.row(select(judgements).where(judgements.c.turn_id == turn_id).order_by(judgements.c.id.desc()).limit(1))


def agent_exists(tx: Transaction, agent_id: int) -> bool:
    """Whether an agent may be given work."""
    return tx.row(select(agents.c.id).where(agents.c.id == agent_id, agents.c.disabled_at.is_(None))) is not None


def _named() -> Select[Any]:
    return (
        select(
            reviews,
            conversations.c.channel,
            conversations.c.account,
            agents.c.name.label("claimed_by_name"),
        )
        .join(conversations, conversations.c.id == reviews.c.conversation_id)
        .outerjoin(agents, agents.c.id == reviews.c.claimed_by)
    )


def with_names(tx: Transaction, review_id: int) -> RowMapping | None:
    """One review with conversation and the claimer's name."""
    return tx.row(_named().where(reviews.c.id == review_id))


def list_open(tx: Transaction, *, kind: str | None, claimed: bool | None, limit: int) -> Sequence[RowMapping]:
    """Open reviews, the most urgent first, with conversation and the claimer's name."""
    now = tx.now()
    guard = [reviews.c.state == "open"]
    held = and_(reviews.c.claimed_by.is_not(None), reviews.c.claimed_until >= now)
    if kind is not None:
        guard.append(reviews.c.kind == kind)
    if claimed is not None:
        guard.append(held if claimed else ~held)
    return tx.rows(_named().where(*guard).order_by(reviews.c.due_at, reviews.c.id).limit(limit))
