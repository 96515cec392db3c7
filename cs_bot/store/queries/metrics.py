"""The business figures of /metrics and of the health check, counted in the database when they are asked for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Exists, and_, exists, func, literal, or_, select
from sqlalchemy.engine import RowMapping

from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import said
from cs_bot.store.tables import (
    accounts_seen,
    conversations,
    events,
    judgements,
    looks,
    messages,
    outbound,
    picture_uses,
    reviews,
    stages,
    turns,
    workers_seen,
)

UNDELIVERED = ("pending", "sending", "unknown")


def _open_message() -> Any:
    return and_(messages.c.sender == "customer", messages.c.end.is_(None))


def _has_working_turn() -> Exists:
    return exists().where(turns.c.id == messages.c.turn_id, turns.c.state == "working")


def _has_open_review() -> Exists:
    return exists().where(reviews.c.id == messages.c.review_id, reviews.c.state == "open")


def _has_undelivered() -> Exists:
    """An answer on its way: of the message's turn, or of the review that the message belongs to."""
    answers = or_(outbound.c.turn_id == messages.c.turn_id, outbound.c.review_id == messages.c.review_id)
    return exists().where(answers, outbound.c.state.in_(UNDELIVERED))


def _waits_for_a_claim(now: datetime) -> Exists:
    """Not in a turn yet, in a conversation that a worker will claim, or that one is working on."""
    alive = or_(conversations.c.due_at.is_not(None), conversations.c.lease_until >= now)
    return exists().where(conversations.c.id == messages.c.conversation_id, messages.c.turn_id.is_(None), alive)


def _unaccounted(now: datetime) -> Any:
    looked_after = or_(_has_working_turn(), _has_open_review(), _has_undelivered(), _waits_for_a_claim(now))
    return and_(_open_message(), ~looked_after)


def unaccounted(tx: Transaction) -> int:
    """Customer messages without an end that nobody looks after: no live turn, open review, answer on its way or claim
    to come. It must be 0 (the ledger)."""
    return int(tx.value(select(func.count()).select_from(messages).where(_unaccounted(tx.now()))))


def unaccounted_ids(tx: Transaction, limit: int = 20) -> list[int]:
    """The oldest of them, to look into."""
    found = select(messages.c.id).where(_unaccounted(tx.now())).order_by(messages.c.id).limit(limit)
    return [int(row["id"]) for row in tx.rows(found)]


def messages_by_end(tx: Transaction) -> dict[str, int]:
    """Customer messages by how they ended; `open` = not ended yet."""
    ended = func.coalesce(messages.c.end, "open")
    return _counts(tx, select(ended, func.count()).where(messages.c.sender == "customer").group_by(ended))


def turns_by_outcome(tx: Transaction) -> dict[tuple[str, str, str], int]:
    """Turns by (outcome, kind, route); a live one has the outcome `working`, what is not known yet is `none`."""
    outcome = func.coalesce(turns.c.outcome, turns.c.state)
    kind, route = func.coalesce(turns.c.kind, "none"), func.coalesce(turns.c.route, "none")
    rows: Any = tx.execute(select(outcome, kind, route, func.count()).group_by(outcome, kind, route))
    return {(str(row[0]), str(row[1]), str(row[2])): int(row[3]) for row in rows}


def outbound_by_state(tx: Transaction) -> dict[str, int]:
    """Rows of the outbox by state."""
    return _counts(tx, select(outbound.c.state, func.count()).group_by(outbound.c.state))


def pictures_by_state(tx: Transaction) -> dict[str, int]:
    """Pictures of messages by fetch state."""
    return _counts(tx, select(picture_uses.c.state, func.count()).group_by(picture_uses.c.state))


def events_by_state(tx: Transaction) -> dict[str, int]:
    """Webhook deliveries by state: parsed, unparsed, not_json."""
    not_parsed = events.c.state != said("parsed")
    odd = _counts(tx, select(events.c.state, func.count()).where(not_parsed).group_by(events.c.state))
    return {"parsed": int(tx.value(select(func.count()).select_from(events))) - sum(odd.values()), **odd}


def conflicting_ids(tx: Transaction) -> int:
    """How often an id came again with another body (the first is kept)."""
    none = literal(0, literal_execute=True)
    counted = (select(func.sum(table.c.conflicts)).where(table.c.conflicts > none) for table in (events, messages))
    return sum(int(tx.value(statement) or 0) for statement in counted)


def judgements_by_verdict(tx: Transaction) -> dict[str, int]:
    """What people did with drafts."""
    return _counts(tx, select(judgements.c.verdict, func.count()).group_by(judgements.c.verdict))


def open_reviews(tx: Transaction) -> dict[str, int]:
    """Open reviews, `claimed` and `free`."""
    held = and_(reviews.c.claimed_by.is_not(None), reviews.c.claimed_until >= tx.now())
    everything = int(tx.value(select(func.count()).where(reviews.c.state == "open")))
    claimed = int(tx.value(select(func.count()).where(reviews.c.state == "open", held)))
    return {"claimed": claimed, "free": everything - claimed}


def oldest_review_s(tx: Transaction) -> float:
    """Age of the oldest open review in seconds; 0 when there is none."""
    return _age(tx, select(func.min(reviews.c.opened_at)).where(reviews.c.state == "open"))


def oldest_unanswered_s(tx: Transaction) -> float:
    """Age of the oldest customer message without an end in seconds; 0 when there is none."""
    return _age(tx, select(func.min(messages.c.received_at)).where(_open_message()))


def waiting_conversations(tx: Transaction) -> int:
    """Conversations whose answer is due now and that no worker holds."""
    now = tx.now()
    free = or_(conversations.c.lease_until.is_(None), conversations.c.lease_until < now)
    return int(tx.value(select(func.count()).where(conversations.c.due_at <= now, free)))


def paused_accounts(tx: Transaction) -> int:
    """Accounts whose sends are paused by the breaker."""
    return int(tx.value(select(func.count()).where(accounts_seen.c.paused_until > tx.now())))


def recent_stages(tx: Transaction, window: int = 2000) -> dict[tuple[str, str], tuple[int, float, float]]:
    """Of the newest `window` stage rows: (stage, outcome) -> (rows, mean seconds, longest seconds)."""
    newest = select(stages).order_by(stages.c.id.desc()).limit(window).subquery()
    seconds = newest.c.seconds
    rows: Any = tx.execute(
        select(newest.c.stage, newest.c.outcome, func.count(), func.avg(seconds), func.max(seconds)).group_by(
            newest.c.stage, newest.c.outcome
        )
    )
    return {(str(r[0]), str(r[1])): (int(r[2]), float(r[3]), float(r[4])) for r in rows}


def recent_looks(tx: Transaction, window: int = 500) -> dict[str, int]:
    """Of the newest `window` looks: by the engine that made them. What was forgotten is left out."""
    newest = select(looks.c.body["engine"].as_string().label("engine")).order_by(looks.c.id.desc()).limit(window)
    engine = newest.subquery().c.engine
    return _counts(tx, select(engine, func.count()).where(engine.is_not(None)).group_by(engine))


def workers_by_queue(tx: Transaction, *, within_s: float, ready: bool = True) -> dict[str, int]:
    """Workers that were seen within `within_s` seconds, by queue: those that are ready, or those that are not yet."""
    since = tx.now() - timedelta(seconds=within_s)
    seen = select(workers_seen.c.queue, func.count())
    seen = seen.where(workers_seen.c.seen_at >= since, workers_seen.c.ready.is_(ready))
    return _counts(tx, seen.group_by(workers_seen.c.queue))


def workers(tx: Transaction) -> Sequence[RowMapping]:
    """Every worker that was ever seen and not cleaned up."""
    return tx.rows(select(workers_seen).order_by(workers_seen.c.queue, workers_seen.c.name))


def alive(tx: Transaction) -> bool:
    """Whether the database answers."""
    return bool(tx.value(select(1)) == 1)


def _counts(tx: Transaction, statement: Any) -> dict[str, int]:
    rows: Any = tx.execute(statement)
    return {str(row[0]): int(row[1]) for row in rows}


def _age(tx: Transaction, statement: Any) -> float:
    oldest = tx.value(statement)
    return 0.0 if oldest is None else max(0.0, (tx.now() - oldest).total_seconds())
