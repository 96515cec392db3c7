"""Claim due turns, renew while there is progress, finish under the fence, give up what is late."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from cs_bot.errors import LeaseLost, NotFound
from cs_bot.records import (
    HIDES_DRAFT,
    Action,
    Decision,
    Draft,
    End,
    Facts,
    Look,
    Message,
    Owner,
    Policy,
    Reading,
    Reason,
    Turn,
)
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import conversations, customers, messages, outbound, pictures, turns
from cs_bot.store.queries.sql import changed
from cs_bot.turns.holding import ask_a_person, end_waiting

RETRY_S = (1.0, 5.0, 30.0)  # upper bounds of the waits after the first, second, third error (full jitter)
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


class Finished(StrEnum):
    """How a finish came out."""

    SEND = "send"
    REVIEW = "review"
    RESTARTED = "restarted"  # new messages or a revoke: the draft is dropped, the turn starts again
    REVOKED = "revoked"
    HANDED_OVER = "handed_over"


def claim(database: Database, *, settings: Settings, policy: Policy, limit: int) -> list[Turn]:
    """Up to `limit` due turns, leased (T2). A turn on a further attempt comes alone: it may have killed a worker."""
    with database.read() as tx:  # a poll must not take SQLite's only write lock
        if not conversations.any_due(tx):
            return []
    claimed: list[Turn] = []
    with database.write() as tx:
        for row in conversations.due(tx, limit):
            working = turns.working(tx, row["id"])
            again = row["lease_until"] is not None or (working is not None and working["failed"] is not None)
            alone = again or (working is not None and working["attempts"] > 1)  # the latter: restarted since
            if alone and claimed:
                break
            turn = _claim_one(tx, row, working, again=again, settings=settings, policy=policy)
            if turn is not None:
                claimed.append(turn)
                if alone:
                    break
    return claimed


def _claim_one(
    tx: Transaction, row: Row, working: Row | None, *, again: bool, settings: Settings, policy: Policy
) -> Turn | None:
    fence = conversations.lease(tx, row["id"], settings.turns.lease_s)
    if working is None:
        span = messages.waiting_span(tx, row["id"])
        if span is None:
            conversations.give_lease_back(tx, row["id"], fence)
            return None
        started = turns.start(tx, row["id"], span=span, deadline_s=settings.turns.deadline_s)
        burst = messages.assign_turn(tx, row["id"], started["id"])
        return load(tx, row, started, burst, fence=fence, policy=policy, follow_up_s=settings.turns.follow_up_s)
    attempts = working["attempts"] + (1 if again else 0)
    last_seq = max((m["seq"] for m in messages.assign_turn(tx, row["id"], working["id"])), default=0)
    working = turns.go_on(tx, working, attempts=attempts, last_seq=last_seq)
    if attempts > settings.turns.max_attempts:
        _give_up(tx, row, working["id"], Reason.POISON, settings)
        return None
    burst = [m for m in messages.rows_of(tx, messages.of_turn(working["id"])) if m["end"] is None]
    if not burst:  # all revoked while it waited
        conversations.give_lease_back(tx, row["id"], fence)
        _end_turn(tx, working["id"], Finished.REVOKED)
        return None
    return load(tx, row, working, burst, fence=fence, policy=policy, follow_up_s=settings.turns.follow_up_s)


def load(
    tx: Transaction, row: Row, turn: Row, burst: Sequence[Row], *, fence: int, policy: Policy, follow_up_s: float
) -> Turn:
    """The turn with the messages of `burst`, their customers and what was said before. `row` is the conversation's.

    `follow_up_s`: so long before its first message a picture may have been sent that its words are about.
    """
    uses = pictures.of_messages(tx, [m["id"] for m in burst])
    return Turn(
        turn_id=turn["id"],
        conversation_id=row["id"],
        channel=row["channel"],
        account=row["account"],
        fence=fence,
        attempts=turn["attempts"],
        restarts=turn["restarts"],
        round=turn["round"],
        origin=turn["origin"],
        deadline_at=turn["deadline_at"],
        messages=tuple(
            Message(
                message_id=m["id"],
                external_id=m["external_id"],
                seq=m["seq"],
                text=m["text"],
                sent_at=m["sent_at"],
                received_at=m["received_at"],
                customer_id=m["customer_id"],
                pictures=uses.get(m["id"], ()),
            )
            for m in burst
        ),
        customers=tuple(customers.get_many(tx, sorted({m["customer_id"] for m in burst}))),
        earlier=messages.earlier(tx, row["id"], before_seq=turn["first_seq"]),
        earlier_looks=() if uses else _earlier_looks(tx, row["id"], turn, burst, follow_up_s),
        owner=Owner(row["owner"]),
        recent_bot_replies=turns.recent_bot_replies(tx, row["id"], policy.loop_window_s),
    )


def _earlier_looks(
    tx: Transaction, conversation_id: int, turn: Row, found: Sequence[Row], within_s: float
) -> tuple[Look, ...]:
    """The looks of the last pictures that the turn's one customer sent before it."""
    people = {m["customer_id"] for m in found}
    if len(people) != 1:
        return ()
    since = min(m["received_at"] for m in found) - timedelta(seconds=within_s)
    return turns.earlier_looks(tx, conversation_id, people.pop(), before_seq=turn["first_seq"], since=since)


def renew(database: Database, claimed: Sequence[Turn], lease_s: float) -> None:
    """Prolong the leases; called only when the engine has made progress."""
    with database.write() as tx:
        for turn in claimed:
            conversations.renew(tx, turn.conversation_id, turn.fence, lease_s)


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
            _end_turn(tx, turn.turn_id, Finished.REVOKED)
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
            return _end_turn(tx, turn.turn_id, Finished.HANDED_OVER, work.decision)
        if work.decision.action is Action.SEND and work.draft is not None and not revoked:
            _queue_reply(tx, row, turn, work.draft, work.fact_keys)
            _end_turn(tx, turn.turn_id, Finished.SEND, work.decision)
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
        return _end_turn(tx, turn.turn_id, Finished.REVIEW, work.decision)


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


def _end_turn(tx: Transaction, turn_id: int, outcome: Finished, decision: Decision | None = None) -> Finished:
    kind, route = (None, None) if decision is None else (decision.kind, decision.route)
    turns.finish(tx, turn_id, outcome, kind, route)
    return outcome


def fail(database: Database, turn: Turn, problem: BaseException) -> None:
    """The engine or a stage failed on this turn: it is tried again alone, later; a lost lease is left alone."""
    with database.write() as tx:
        if not conversations.give_lease_back(tx, turn.conversation_id, turn.fence):
            return
        wait = random.uniform(0, RETRY_S[min(turn.attempts, len(RETRY_S)) - 1])
        turns.change(tx, turn.turn_id, failed=type(problem).__name__[:60])
        conversations.change(tx, turn.conversation_id, due_at=tx.now() + timedelta(seconds=wait))


def _give_up(tx: Transaction, row: Row, turn_id: int, reason: Reason, settings: Settings) -> None:
    """Move the fence, so that a worker that still has it finds it gone, and ask a person."""
    conversations.change(tx, row["id"], lease_until=None, fence=row["fence"] + 2)
    if not messages.count_open(tx, messages.of_turn(turn_id)):
        _end_turn(tx, turn_id, Finished.REVOKED)
        return
    ask_a_person(tx, row, turn_id=turn_id, reasons=[reason], settings=settings)
    _end_turn(tx, turn_id, Finished.HANDED_OVER if row["owner"] == Owner.OUTSIDE else Finished.REVIEW)


def sweep(database: Database, *, settings: Settings) -> int:
    """Give up the turns past their deadline that nobody is working on (upkeep); how many."""
    with database.read() as tx:
        late = turns.late(tx)
    for found in late:
        with database.write() as tx:
            row = conversations.lock(tx, found["conversation_id"])
            turn = turns.get(tx, found["id"])
            held = row["lease_until"] is not None and row["lease_until"] >= tx.now()
            if turn is None or turn["state"] != "working" or held:
                continue
            messages.assign_turn(tx, row["id"], turn["id"])
            _give_up(tx, row, turn["id"], Reason.LATE, settings)
    return len(late)


def stored(database: Database, turn_id: int, *, settings: Settings, policy: Policy) -> Turn:
    """A turn of the past with all its messages, for replay; raises NotFound."""
    with database.read() as tx:
        turn = turns.get(tx, turn_id)
        if turn is None:
            raise NotFound(f"there is no turn {turn_id}")
        row = conversations.get(tx, turn["conversation_id"])
        burst = messages.rows_of(tx, messages.of_turn(turn_id))
        return load(tx, row, turn, burst, fence=row["fence"], policy=policy, follow_up_s=settings.turns.follow_up_s)


def seconds_until_due(database: Database) -> float | None:
    """How long until a conversation is due; None when none waits."""
    with database.read() as tx:
        due_at = conversations.next_due_at(tx)
        return None if due_at is None else max(0.0, (due_at - tx.now()).total_seconds())
