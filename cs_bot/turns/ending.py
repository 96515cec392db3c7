"""How a turn ends without an answer of its own: given up, late, stale, or failed once too often."""

import logging
import random
from datetime import datetime, timedelta
from enum import StrEnum

from cs_bot.errors import StoreUnavailable
from cs_bot.records import Decision, Owner, Policy, Reason, Turn
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import conversations, messages, turns
from cs_bot.turns.holding import ask_a_person

RETRY_S = (1.0, 5.0, 30.0)  # upper bounds of the waits after the first, second, third error (full jitter)

log = logging.getLogger("cs_bot.turns")


class Finished(StrEnum):
    """How a finish came out."""

    SEND = "send"
    REVIEW = "review"
    RESTARTED = "restarted"  # new messages or a revoke: the draft is dropped, the turn starts again
    REVOKED = "revoked"
    HANDED_OVER = "handed_over"


def end_turn(tx: Transaction, turn_id: int, outcome: Finished, decision: Decision | None = None) -> Finished:
    """The turn is over; its outcome."""
    kind, route = (None, None) if decision is None else (decision.kind, decision.route)
    turns.finish(tx, turn_id, outcome, kind, route)
    return outcome


def retry_wait(attempts: int) -> timedelta:
    """How long to wait after that many attempts."""
    return timedelta(seconds=random.uniform(0, RETRY_S[min(attempts, len(RETRY_S)) - 1]))


def take_waiting(tx: Transaction, conversation_id: int, deadline_s: float) -> Row | None:
    """The live turn of a locked conversation, begun when there is none, with all that waits; None when nothing does.

    Reads nothing that came from outside.
    """
    turn, span = turns.working(tx, conversation_id), messages.waiting_span(tx, conversation_id)
    if span is None:
        return turn
    if turn is None:
        turn = turns.start(tx, conversation_id, span=span, deadline_s=deadline_s)
    else:
        turns.change(tx, turn["id"], last_seq=max(turn["last_seq"], span[1]))
    messages.give_to_turn(tx, conversation_id, turn["id"])
    return turn


def give_up(tx: Transaction, row: Row, turn_id: int, reason: Reason, settings: Settings) -> None:
    """Move the fence, so that a worker that still has it finds it gone, and ask a person."""
    conversations.change(tx, row["id"], lease_until=None, fence=row["fence"] + 2)
    if not messages.count_open(tx, messages.of_turn(turn_id)):
        end_turn(tx, turn_id, Finished.REVOKED)
        return
    ask_a_person(tx, row, turn_id=turn_id, reasons=[reason], settings=settings)
    end_turn(tx, turn_id, Finished.HANDED_OVER if row["owner"] == Owner.OUTSIDE else Finished.REVIEW)


def fail(database: Database, turn: Turn, problem: BaseException, *, settings: Settings) -> None:
    """The engine or a stage failed on this turn: it is tried again alone, later; after the last attempt a person is
    asked at once. A lost lease is left alone.
    """
    with database.write() as tx:
        row = conversations.give_lease_back(tx, turn.conversation_id, turn.fence)
        if row is None:
            return
        turns.change(tx, turn.turn_id, failed=type(problem).__name__[:60])
        if turn.attempts >= settings.turns.max_attempts:
            take_waiting(tx, row["id"], settings.turns.deadline_s)
            give_up(tx, row, turn.turn_id, Reason.POISON, settings)
            return
        conversations.change(tx, row["id"], due_at=tx.now() + retry_wait(turn.attempts))


def sweep(database: Database, *, settings: Settings, policy: Policy) -> int:
    """Give to people what nobody is working on (upkeep): turns past their deadline, and what has waited so long that
    no answer may go out by itself any more; how many. At most some twenty of each kind a round, oldest first.
    """
    with database.read() as tx:
        late = [found["conversation_id"] for found in turns.late(tx)]
        stale = conversations.due_since(tx, policy.stale_after_s)
    given = 0
    for conversation_id in dict.fromkeys((*late, *stale)):
        try:
            given += _given_up(database, conversation_id, settings, policy)
        except StoreUnavailable:
            raise
        except Exception:  # the others must not wait for this one
            log.exception("a turn can't be given up", extra={"conversation_id": conversation_id})
    return given


def _given_up(database: Database, conversation_id: int, settings: Settings, policy: Policy) -> bool:
    """Whether it still was to be given up, and nobody else held it."""
    with database.write() as tx:
        row = conversations.try_lock(tx, conversation_id)
        if row is None:
            return False
        reason = _overdue(tx.now(), row, turns.working(tx, row["id"]), policy)
        if reason is None:
            return False
        turn = take_waiting(tx, row["id"], settings.turns.deadline_s)
        if turn is None:
            conversations.change(tx, row["id"], due_at=None, burst_started_at=None)
            return False
        give_up(tx, row, turn["id"], reason, settings)
        return True


def _overdue(now: datetime, row: Row, working: Row | None, policy: Policy) -> Reason | None:
    """Why a conversation's turn is given up; None: a worker has it, or there is still time."""
    if row["lease_until"] is not None and row["lease_until"] >= now:
        return None
    if working is not None and working["deadline_at"] < now:
        return Reason.LATE
    waits = row["lease_until"] is None and row["due_at"] is not None
    if waits and row["due_at"] < now - timedelta(seconds=policy.stale_after_s):
        return Reason.STALE
    return None
