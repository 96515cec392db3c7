"""Which rows are old enough to be forgotten, which of them still live, and how far each rule has come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, exists, false, literal, or_, select, tuple_, update
from sqlalchemy.engine import RowMapping

from cs_bot.store.database import Transaction
from cs_bot.store.queries import forgetting
from cs_bot.store.queries.outbound import UNDELIVERED
from cs_bot.store.queries.sql import insert
from cs_bot.store.tables import (
    audit,
    audits,
    cache_checks,
    changes,
    conversations,
    customers,
    decisions,
    drafts,
    events,
    judgements,
    looks,
    messages,
    outbound,
    picture_uses,
    pictures,
    retention_progress,
    review_history,
    reviews,
    revocations,
    stages,
    turns,
)

Live = Callable[[], ColumnElement[bool]]
NEVER: Live = false


def message_lives() -> ColumnElement[bool]:
    """No end yet, in an open review, of a live turn, or with an answer on its way."""
    return or_(
        messages.c.end.is_(None),
        exists().where(reviews.c.id == messages.c.review_id, reviews.c.state == "open"),
        exists().where(turns.c.id == messages.c.turn_id, turns.c.state == "working"),
        exists().where(outbound.c.turn_id == messages.c.turn_id, outbound.c.state.in_(UNDELIVERED)),
        exists().where(outbound.c.review_id == messages.c.review_id, outbound.c.state.in_(UNDELIVERED)),
    )


def _turn_lives(turn_id: ColumnElement[int]) -> ColumnElement[bool]:
    """The turn is worked on, one of its messages lives, or an open review shows its draft."""
    return or_(
        exists().where(turns.c.id == turn_id, turns.c.state == "working"),
        exists().where(messages.c.turn_id == turn_id, message_lives()),
        exists().where(outbound.c.turn_id == turn_id, outbound.c.state.in_(UNDELIVERED)),
        exists().where(drafts.c.turn_id == turn_id, reviews.c.draft_id == drafts.c.id, reviews.c.state == "open"),
    )


def _review_lives(review_id: ColumnElement[int]) -> ColumnElement[bool]:
    return or_(exists().where(reviews.c.id == review_id, reviews.c.state == "open"), _review_has_work(review_id))


def _review_has_work(review_id: ColumnElement[int]) -> ColumnElement[bool]:
    of_review = messages.c.review_id == review_id
    return or_(
        exists().where(of_review, message_lives()),
        exists().where(outbound.c.review_id == review_id, outbound.c.state.in_(UNDELIVERED)),
    )


@dataclass(frozen=True)
class Rule:
    """One kind of row: `setting` names its age, `at` its time (rows come in its order), `live` what must wait."""

    name: str
    setting: str
    table: Table
    at: ColumnElement[datetime]
    forget: Callable[[Transaction, ColumnElement[bool]], int]
    live: Live = NEVER

    @property
    def marked(self) -> bool:
        """Whether its rows stay and say that they were forgotten."""
        return "forgotten_at" in self.table.c


def _deleting(table: Table) -> Callable[[Transaction, ColumnElement[bool]], int]:
    return lambda tx, which: tx.execute(delete(table).where(which)).rowcount


def _let_go(tx: Transaction, which: ColumnElement[bool]) -> int:
    """`which` is over messages: their pictures go."""
    return len(
        forgetting.let_go_of_pictures(
            tx,
            picture_uses.c.message_id.in_(select(messages.c.id).where(which)) & picture_uses.c.picture_id.is_not(None),
        )
    )


def _event_lives() -> ColumnElement[bool]:
    return exists().where(messages.c.event_id == events.c.id, message_lives())


RULES = (
    Rule("events", "events_days", events, events.c.received_at, forgetting.forget_events, _event_lives),
    Rule("pictures", "pictures_days", messages, messages.c.received_at, _let_go, message_lives),
    Rule("messages", "messages_days", messages, messages.c.received_at, forgetting.forget_messages, message_lives),
    Rule("looks", "looks_days", looks, looks.c.at, forgetting.forget_looks, lambda: _turn_lives(looks.c.turn_id)),
    Rule("drafts", "drafts_days", drafts, drafts.c.at, forgetting.forget_drafts, lambda: _turn_lives(drafts.c.turn_id)),
    Rule(
        "decisions",
        "decisions_days",
        decisions,
        decisions.c.at,
        forgetting.forget_decisions,
        lambda: _turn_lives(decisions.c.turn_id),
    ),
    Rule("stages", "stages_days", stages, stages.c.at, _deleting(stages), lambda: _turn_lives(stages.c.turn_id)),
    Rule(
        "outbound",
        "outbound_days",
        outbound,
        outbound.c.created_at,
        forgetting.forget_outbound,
        lambda: outbound.c.state.in_(UNDELIVERED),
    ),
    Rule(
        "reviews",
        "reviews_days",
        reviews,
        reviews.c.opened_at,
        forgetting.forget_reviews,
        lambda: or_(reviews.c.state == "open", _review_has_work(reviews.c.id)),
    ),
    Rule(
        "review_history",
        "reviews_days",
        review_history,
        review_history.c.at,
        forgetting.forget_history,
        lambda: _review_lives(review_history.c.review_id),
    ),
    Rule(
        "judgements",
        "reviews_days",
        judgements,
        judgements.c.at,
        forgetting.forget_judgements,
        lambda: _review_lives(judgements.c.review_id),
    ),
    Rule("cache_checks", "looks_days", cache_checks, cache_checks.c.created_at, _deleting(cache_checks)),
    Rule("audits", "reviews_days", audits, audits.c.sampled_at, forgetting.forget_audits),
    Rule("changes", "changes_days", changes, changes.c.at, _deleting(changes)),
    Rule("audit", "audit_days", audit, audit.c.at, _deleting(audit)),
)


def page(tx: Transaction, rule: Rule, after_id: int, limit: int) -> Sequence[RowMapping]:
    """The next rows in order: `id`, `at` and whether they are `forgotten` already."""
    table = rule.table
    marked = rule.marked and rule.name != "pictures"
    forgotten = table.c.forgotten_at.is_not(None) if marked else literal(False)
    return tx.rows(
        select(table.c.id, rule.at.label("at"), forgotten.label("forgotten"))
        .where(table.c.id > after_id)
        .order_by(table.c.id)
        .limit(limit)
    )


def forget(tx: Transaction, rule: Rule, ids: Sequence[int]) -> tuple[int, set[int]]:
    """Forget those of `ids` that do not live; how many, and the ids that must wait.

    Messages go only under their conversation's lock, which an arrival takes before it asks whether it knows a message;
    a conversation that is locked now waits for the next pass (waiting for several locks at once could be for ever).
    """
    table = rule.table
    free = select(table.c.id).where(table.c.id.in_(ids), ~rule.live())
    if table is messages:
        free = free.where(messages.c.conversation_id.in_(_locked(tx, ids)))
    may_go = [int(row["id"]) for row in tx.rows(free)]
    done = rule.forget(tx, table.c.id.in_(may_go)) if may_go else 0
    return done, set(ids) - set(may_go)


def _locked(tx: Transaction, message_ids: Sequence[int]) -> list[int]:
    of_these = select(messages.c.conversation_id).where(messages.c.id.in_(message_ids))
    free = select(conversations.c.id).where(conversations.c.id.in_(of_these)).with_for_update(skip_locked=True)
    return [int(row["id"]) for row in tx.rows(free)]


def forget_revocations(tx: Transaction, before: datetime, limit: int) -> int:
    """Revokes whose message never came, or ended long ago."""
    key = (revocations.c.channel, revocations.c.account, revocations.c.external_id)
    old = select(*key).where(revocations.c.revoked_at < before).limit(limit)
    return tx.execute(delete(revocations).where(tuple_(*key).in_(old))).rowcount


def old_pictures(tx: Transaction, after_id: int, before: datetime, limit: int) -> Sequence[RowMapping]:
    """The next pictures stored before `before`, and whether something still refers to them (`used`)."""
    used = exists().where(picture_uses.c.picture_id == pictures.c.id)
    return tx.rows(
        select(pictures.c.id, used.label("used"))
        .where(pictures.c.id > after_id, pictures.c.stored_at < before)
        .order_by(pictures.c.id)
        .limit(limit)
    )


def silent_customers(tx: Transaction, after_id: int, before: datetime, limit: int) -> tuple[list[int], int | None]:
    """Of the next `limit` customers: those who wrote nothing since, and the last id looked at (None at the end)."""
    ids = [
        int(r["id"])
        for r in tx.rows(select(customers.c.id).where(customers.c.id > after_id).order_by(customers.c.id).limit(limit))
    ]
    wrote = exists().where(messages.c.customer_id == customers.c.id, messages.c.received_at >= before)
    silent = select(customers.c.id).where(
        customers.c.id.in_(ids), customers.c.created_at < before, ~wrote, customers.c.external_id.not_like("deleted:%")
    )
    return [int(row["id"]) for row in tx.rows(silent.order_by(customers.c.id))], max(ids, default=None)


@dataclass(frozen=True)
class Progress:
    """How far a rule has come (see the table)."""

    done_id: int
    seen_id: int
    due_at: datetime | None


def progress(tx: Transaction) -> dict[str, Progress]:
    """By rule; one that never ran is not in it."""
    return {
        row["rule"]: Progress(row["done_id"], row["seen_id"], row["due_at"])
        for row in tx.rows(select(retention_progress))
    }


def save(tx: Transaction, rule: str, was: Progress, now: Progress) -> bool:
    """Note how far it came; False when another process has gone on meanwhile."""
    values: dict[str, Any] = {"done_id": now.done_id, "seen_id": now.seen_id, "due_at": now.due_at or tx.now()}
    if was.due_at is None:
        new = insert(tx, retention_progress).values(rule=rule, **values)
        return tx.changed(new.on_conflict_do_nothing(index_elements=["rule"]))
    mine = (retention_progress.c.rule == rule) & (retention_progress.c.seen_id == was.seen_id)
    return tx.changed(update(retention_progress).where(mine).values(**values))
