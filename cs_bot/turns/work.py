"""Finish a turn under its fence (T3): what the stages made of it goes to the outbox, or to a person."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cs_bot.errors import LeaseLost
from cs_bot.records import HIDES_DRAFT, Action, Decision, Draft, End, Facts, Look, Owner, Reading, Reason, Turn
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import conversations, messages, outbound, turns
from cs_bot.store.queries.sql import changed
from cs_bot.turns.ending import Finished, end_turn
from cs_bot.turns.holding import ask_a_person, end_waiting

Queued = Callable[[Transaction, Row], None]  # gets the transaction and the conversation that it has locked


@dataclass(frozen=True)
class Work:
    """What the stages made of a turn."""

    looks: tuple[Look, ...]
    reading: Reading
    facts: Facts
    draft: Draft | None
    decision: Decision
    fact_keys: dict[str, Any]
    stages: tuple[tuple[int, str, float, str], ...] = field(default=())


def finish(database: Database, turn: Turn, work: Work, *, settings: Settings, queued: Queued | None = None) -> Finished:
    """Write the result under the fence (T3): an outbox row or a review, or a restart.

    `queued` is called in the same transaction once a reply is in the outbox. Raises LeaseLost when another worker has
    the turn now: the result must be thrown away.
    """
    with database.write() as tx:
        row = conversations.give_lease_back(tx, turn.conversation_id, turn.fence)
        if row is None:
            raise LeaseLost
        open_ids, others_wait = messages.open_now(tx, row["id"], turn.turn_id)
        seen_ids = {m.message_id for m in turn.messages}
        turns.add_stages(tx, work.stages)
        changed(tx, "conversation", row["id"])
        if not open_ids:
            end_turn(tx, turn.turn_id, Finished.REVOKED)
            return Finished.REVOKED
        revoked = open_ids != seen_ids
        if revoked or others_wait:
            may_restart = turn.restarts < settings.turns.max_restarts and tx.now() < turn.deadline_at
            if may_restart:
                return _restart(tx, row, turn)
        draft_id, decision_id = _keep(tx, turn, work)
        if row["owner"] == Owner.OUTSIDE:
            messages.end(tx, messages.of_turn(turn.turn_id), End.HANDED_OVER, Reason.TAKEN_OVER)
            end_waiting(tx, row["id"], turn_id=turn.turn_id)
            return end_turn(tx, turn.turn_id, Finished.HANDED_OVER, work.decision)
        if work.decision.action is Action.SEND and work.draft is not None and not revoked:
            _queue_reply(tx, row, turn, work.draft, work.fact_keys)
            end_turn(tx, turn.turn_id, Finished.SEND, work.decision)
            if queued is not None:
                queued(tx, row)
            return Finished.SEND
        reasons = work.decision.reasons if not revoked else (Reason.REVOKED, *work.decision.reasons)
        ask_a_person(
            tx,
            row,
            turn_id=turn.turn_id,
            reasons=reasons,
            settings=settings,
            suggestion=work.decision.suggestion,
            text="" if work.draft is None or work.decision.mode in HIDES_DRAFT else work.draft.text,
            kind=work.decision.kind,
            draft_id=draft_id,
            decision_id=decision_id,
        )
        return end_turn(tx, turn.turn_id, Finished.REVIEW, work.decision)


def _keep(tx: Transaction, turn: Turn, work: Work) -> tuple[int, int]:
    turns.add_looks(tx, turn.turn_id, work.looks)
    draft_id = turns.add_draft(tx, turn.turn_id, turn.round, work.reading, work.facts, work.draft)
    return draft_id, turns.add_decision(tx, turn.turn_id, work.decision)


def _restart(tx: Transaction, row: Row, turn: Turn) -> Finished:
    turns.change(tx, turn.turn_id, restarts=turn.restarts + 1, round=turn.round + 1)
    if row["due_at"] is None:
        conversations.change(tx, row["id"], due_at=tx.now())
    return Finished.RESTARTED


def _queue_reply(tx: Transaction, row: Row, turn: Turn, draft: Draft, fact_keys: dict[str, Any]) -> None:
    answers = [m.message_id for m in turn.messages]
    outbound.add(
        tx,
        conversation_id=row["id"],
        turn_id=turn.turn_id,
        origin=f"turn:{turn.turn_id}:{turn.round}",
        kind="reply",
        text=draft.text,
        epoch=row["epoch"],
        facts={"keys": fact_keys, "fingerprint": draft.fingerprint, "messages": answers},
    )
