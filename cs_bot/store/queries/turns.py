"""Turns, and what their stages leave for replay: looks, drafts, decisions, timings."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.engine import RowMapping

from cs_bot import masking
from cs_bot.records import ORDER_FIELDS, SCHEMA_VERSION, Decision, Draft, Facts, Look, ReadField, Reading
from cs_bot.store.database import Transaction
from cs_bot.store.queries.sql import built
from cs_bot.store.tables import (
    conversations,
    decisions,
    drafts,
    looks,
    messages,
    outbound,
    picture_uses,
    pictures,
    revocations,
    stages,
    turns,
)


@built
def _working(conversation_id: int) -> Any:
    return select(turns).where(turns.c.conversation_id == conversation_id, turns.c.state == "working")


def working(tx: Transaction, conversation_id: int) -> RowMapping | None:
    """The live turn of a conversation."""
    return tx.row(_working(conversation_id))


def get(tx: Transaction, turn_id: int) -> RowMapping | None:
    """One turn."""
    return tx.row(select(turns).where(turns.c.id == turn_id))


_START = turns.insert().returning(*turns.c)


def start(tx: Transaction, conversation_id: int, *, span: tuple[int, int], deadline_s: float) -> RowMapping:
    """A new turn for the messages of `span`; the partial unique index refuses a second live one."""
    now = tx.now()
    row = tx.row(
        _START,
        {
            "conversation_id": conversation_id,
            "origin": "customer",
            "state": "working",
            "first_seq": span[0],
            "last_seq": span[1],
            "started_at": now,
            "deadline_at": now + timedelta(seconds=deadline_s),
        },
    )
    assert row is not None
    return row


def go_on(tx: Transaction, turn: RowMapping, *, attempts: int, last_seq: int) -> RowMapping:
    """A live turn is claimed again: its row as it is now."""
    row = tx.row(
        update(turns)
        .where(turns.c.id == turn["id"])
        .values(attempts=attempts, failed=None, last_seq=max(last_seq, turn["last_seq"]))
        .returning(*turns.c)
    )
    assert row is not None
    return row


def change(tx: Transaction, turn_id: int, **values: Any) -> None:
    """Set columns of a turn whose conversation this transaction has locked."""
    tx.execute(update(turns).where(turns.c.id == turn_id).values(**values))


@built
def _finish(turn_id: int, outcome: str, kind: str | None, route: str | None, now: datetime) -> Any:
    ending = {"state": "finished", "outcome": outcome, "finished_at": now, "kind": kind, "route": route}
    return update(turns).where(turns.c.id == turn_id).values(**ending)


def finish(tx: Transaction, turn_id: int, outcome: str, kind: str | None = None, route: str | None = None) -> None:
    """The turn is over."""
    tx.execute(_finish(turn_id, outcome, kind, route, tx.now()))


def late(tx: Transaction, limit: int = 20) -> Sequence[RowMapping]:
    """Live turns past their deadline that nobody is working on."""
    now = tx.now()
    return tx.rows(
        select(turns.c.id, turns.c.conversation_id)
        .join(conversations, conversations.c.id == turns.c.conversation_id)
        .where(
            turns.c.state == "working",
            turns.c.deadline_at < now,
            or_(conversations.c.lease_until.is_(None), conversations.c.lease_until < now),
        )
        .limit(limit)
    )


@built
def _recent_bot_replies(conversation_id: int, since: datetime) -> Any:
    return (
        select(func.count())
        .select_from(outbound)
        .where(
            outbound.c.conversation_id == conversation_id,
            outbound.c.kind == "reply",
            outbound.c.state.in_(["pending", "sending", "sent", "unknown", "undetermined"]),
            outbound.c.created_at >= since,
        )
    )


def recent_bot_replies(tx: Transaction, conversation_id: int, window_s: float) -> int:
    """How many replies the bot sent, or may have sent, within the window."""
    return int(tx.value(_recent_bot_replies(conversation_id, tx.now() - timedelta(seconds=window_s))))


def masked(look: Look) -> Look:
    """The look without phones and addresses in what was read as words.

    The order's fields stay: they are the key to the record, and proof.
    """
    words = {
        "lines": tuple(masking.mask(line) for line in look.lines),
        "items": tuple(
            item.model_copy(update={"attributes": {k: masking.mask(v) for k, v in item.attributes.items()}})
            for item in look.items
        ),
        "fields": {
            name: field if name in ORDER_FIELDS or field.value is None else _masked_field(field)
            for name, field in look.fields.items()
        },
    }
    return look.model_copy(update=words)


def _masked_field(field: ReadField) -> ReadField:
    return field.model_copy(update={"value": masking.mask(field.value or "")})


def add_looks(tx: Transaction, turn_id: int, found: Sequence[Look]) -> None:
    """Keep what was seen, masked."""
    rows = [
        {
            "turn_id": turn_id,
            "picture_sha256": look.picture_sha256,
            "body": {"schema": SCHEMA_VERSION, **masked(look).model_dump(mode="json")},
            "at": tx.now(),
        }
        for look in found
    ]
    if rows:
        tx.execute(looks.insert(), rows)


_NEW_DRAFT = drafts.insert().returning(drafts.c.id)
_NEW_DECISION = decisions.insert().returning(decisions.c.id)
_NEW_STAGES = stages.insert()


def add_draft(tx: Transaction, turn_id: int, round_: int, reading: Reading, facts: Facts, draft: Draft | None) -> int:
    """Keep what was read (pictures masked), fetched and said; the draft's id."""
    reading = reading.model_copy(update={"looks": tuple(masked(look) for look in reading.looks)})
    values = {
        "turn_id": turn_id,
        "round": round_,
        "reading": {"schema": SCHEMA_VERSION, **reading.model_dump(mode="json")},
        "facts": {"schema": SCHEMA_VERSION, **facts.model_dump(mode="json")},
        "draft": None if draft is None else {"schema": SCHEMA_VERSION, **draft.model_dump(mode="json")},
        "at": tx.now(),
    }
    return int(tx.value(_NEW_DRAFT, values))


def add_decision(tx: Transaction, turn_id: int, decision: Decision) -> int:
    """Keep the gate's result; its id."""
    values = {
        "turn_id": turn_id,
        "at": tx.now(),
        "policy_version": decision.policy_version,
        "action": decision.action,
        "kind": decision.kind,
        "route": decision.route,
        "body": {"schema": SCHEMA_VERSION, **decision.model_dump(mode="json")},
    }
    return int(tx.value(_NEW_DECISION, values))


def add_stages(tx: Transaction, rows: Sequence[tuple[int, str, float, str]]) -> None:
    """Keep timings: (turn id, stage, seconds, outcome)."""
    if rows:
        names = ("turn_id", "stage", "seconds", "outcome")
        tx.execute(_NEW_STAGES, [{**dict(zip(names, row, strict=True)), "at": tx.now()} for row in rows])


def latest_draft(tx: Transaction, turn_id: int) -> RowMapping | None:
    """The newest draft row of a turn."""
    return tx.row(select(drafts).where(drafts.c.turn_id == turn_id).order_by(drafts.c.id.desc()).limit(1))


def latest_decision(tx: Transaction, turn_id: int) -> RowMapping | None:
    """The newest decision row of a turn."""
    return tx.row(select(decisions).where(decisions.c.turn_id == turn_id).order_by(decisions.c.id.desc()).limit(1))


def finished_between(tx: Transaction, since: datetime, until: datetime) -> list[int]:
    """Ids of the customers' turns that were finished within a time, oldest first."""
    found = tx.execute(
        select(turns.c.id)
        .where(turns.c.origin == "customer", turns.c.state == "finished")
        .where(turns.c.finished_at >= since, turns.c.finished_at < until)
        .order_by(turns.c.finished_at, turns.c.id)
    )
    return [int(row.id) for row in found]


def draft(tx: Transaction, draft_id: int) -> RowMapping | None:
    """One draft row."""
    return tx.row(select(drafts).where(drafts.c.id == draft_id))


def decision(tx: Transaction, decision_id: int) -> RowMapping | None:
    """One decision row."""
    return tx.row(select(decisions).where(decisions.c.id == decision_id))


def as_decision(row: RowMapping) -> Decision:
    """The record of a decision row."""
    return Decision.model_validate({name: value for name, value in row["body"].items() if name != "schema"})


def looks_of(tx: Transaction, turn_id: int) -> Sequence[RowMapping]:
    """All look rows of a turn, oldest first."""
    return tx.rows(select(looks).where(looks.c.turn_id == turn_id).order_by(looks.c.id))


def earlier_looks(
    tx: Transaction, conversation_id: int, customer_id: int, *, before_seq: int, since: datetime
) -> tuple[Look, ...]:
    """What the last pictures before a message showed, in their order: those of one customer in one conversation.

    The last message with pictures decides, and all pictures of its turn count; none when that turn saw nothing.
    """
    if before_seq == 1:  # the conversation's first words
        return ()
    theirs = (
        (messages.c.conversation_id == conversation_id)
        & (messages.c.customer_id == customer_id)
        & (messages.c.sender == "customer")
        & (messages.c.seq < before_seq)
        & (messages.c.received_at >= since)
        & ~exists().where(  # also one taken back after it was answered
            revocations.c.channel == messages.c.channel,
            revocations.c.account == messages.c.account,
            revocations.c.external_id == messages.c.external_id,
        )
    )
    shown = select(messages.c.turn_id).join(picture_uses, picture_uses.c.message_id == messages.c.id).where(theirs)
    turn_id = tx.value(shown.order_by(messages.c.seq.desc()).limit(1))
    if turn_id is None:
        return ()
    uses = tx.rows(
        select(pictures.c.sha256)
        .join(picture_uses, picture_uses.c.picture_id == pictures.c.id)
        .join(messages, messages.c.id == picture_uses.c.message_id)
        .where(theirs, messages.c.turn_id == turn_id)
        .order_by(messages.c.sent_at, messages.c.seq, picture_uses.c.position)
    )
    seen = {row["picture_sha256"]: _look(row["body"]) for row in looks_of(tx, turn_id)}
    names = dict.fromkeys(row["sha256"] for row in uses)
    return tuple(look for look in (seen.get(name) for name in names) if look is not None)


def _look(body: dict[str, Any]) -> Look | None:
    """None: another version of cs-bot wrote it, while that is rolled out or before it was rolled back."""
    try:
        return Look.model_validate({name: value for name, value in body.items() if name != "schema"})
    except ValidationError:
        return None


def stages_of(tx: Transaction, turn_id: int) -> Sequence[RowMapping]:
    """All timing rows of a turn, oldest first."""
    return tx.rows(select(stages).where(stages.c.turn_id == turn_id).order_by(stages.c.id))
