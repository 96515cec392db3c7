"""Claim due turns with all that the stages need to know of them (T2)."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from cs_bot.errors import NotFound, StoreUnavailable
from cs_bot.records import Look, Message, Owner, Policy, Reason, Turn
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import conversations, customers, messages, pictures, turns
from cs_bot.turns.ending import Finished, end_turn, give_up, retry_wait, take_waiting

AT_MOST = 8  # conversations whose claim fails are put off in one call

log = logging.getLogger("cs_bot.turns")


def claim(database: Database, *, settings: Settings, policy: Policy, limit: int) -> list[Turn]:
    """Up to `limit` due turns, leased (T2). A turn on a further attempt comes alone: it may have killed a worker.

    A conversation that can't be claimed is put off, so that it never stands in the way of the others.
    """
    with database.read() as tx:  # a poll must not take SQLite's only write lock
        if not conversations.any_due(tx):
            return []
    for _ in range(AT_MOST):
        begun: list[int] = []
        try:
            with database.write() as tx:
                return _claim_due(tx, begun, settings=settings, policy=policy, limit=limit)
        except StoreUnavailable:
            raise
        except Exception as problem:
            if not begun:
                raise
            log.exception("a conversation can't be claimed", extra={"conversation_id": begun[-1]})
            _put_off(database, begun[-1], problem, settings)
    return []


def _claim_due(tx: Transaction, begun: list[int], *, settings: Settings, policy: Policy, limit: int) -> list[Turn]:
    """`begun` gets the id of each conversation before it is claimed: the last one is where an error comes from."""
    claimed: list[Turn] = []
    for row in conversations.due(tx, limit):
        begun.append(row["id"])
        working = turns.working(tx, row["id"])
        again = _follows_a_failure(row, working)
        alone = again or (working is not None and working["attempts"] > 1)  # the latter: restarted since
        if alone and claimed:
            break
        turn = _claim_one(tx, row, working, again=again, settings=settings, policy=policy)
        if turn is not None:
            claimed.append(turn)
            if alone:
                break
    return claimed


def _follows_a_failure(row: Row, working: Row | None) -> bool:
    """After a lost lease or an error a claim counts as a further attempt."""
    return row["lease_until"] is not None or (working is not None and working["failed"] is not None)


def _put_off(database: Database, conversation_id: int, problem: Exception, settings: Settings) -> None:
    """Count the attempt of a claim that failed; after the last one the next claim asks a person.

    Nothing is read here that came from outside: that may be what the claim failed at.
    """
    with database.write() as tx:
        row = conversations.lock(tx, conversation_id)
        if not conversations.can_be_claimed(tx, row):  # another worker was faster
            return
        working = turns.working(tx, row["id"])
        turn = take_waiting(tx, row["id"], settings.turns.deadline_s)
        free = {"lease_until": None, "fence": row["fence"] + 1, "burst_started_at": None}
        if turn is None:
            conversations.change(tx, row["id"], due_at=None, **free)
            return
        again = working is not None and _follows_a_failure(row, working)
        attempts = turn["attempts"] + (1 if again else 0)
        turns.change(tx, turn["id"], attempts=attempts, failed=type(problem).__name__[:60])
        conversations.change(tx, row["id"], due_at=tx.now() + retry_wait(attempts), **free)


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
        give_up(tx, row, working["id"], Reason.POISON, settings)
        return None
    burst = [m for m in messages.rows_of(tx, messages.of_turn(working["id"])) if m["end"] is None]
    if not burst:  # all revoked while it waited
        conversations.give_lease_back(tx, row["id"], fence)
        end_turn(tx, working["id"], Finished.REVOKED)
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
