"""Messages arrive: each joins an open review, waits for a turn, or ends at once; and when a turn is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from cs_bot.knowledge.intents import read_question
from cs_bot.records import End, Owner, Reason
from cs_bot.schemas import MessageCreated
from cs_bot.settings import TurnSettings
from cs_bot.store.database import Row, Transaction
from cs_bot.store.queries import conversations, customers, inbox, messages, outbound, pictures, reviews
from cs_bot.store.queries.sql import sha256
from cs_bot.turns.people import take_over_locked

ECHO_WINDOW_S = 900.0


class Due(NamedTuple):
    """When a burst is answered, and when its first message came."""

    at: datetime
    started: datetime


@dataclass(frozen=True)
class Incoming:
    """A message of a stored event."""

    message: MessageCreated
    event_id: int
    sent_at: datetime


@dataclass(frozen=True)
class Arrival:
    """What to ring for after the commit."""

    message_id: int | None = None  # None: known already
    has_pictures: bool = False
    due: Due | None = None


def arrive(
    tx: Transaction, incoming: Sequence[Incoming], *, channel: str, account: str, settings: TurnSettings
) -> list[Arrival]:
    """Store messages of one account inside the webhooks' transaction (T1), each kind of row with one statement.

    No two may have the same conversation, customer or id: then all at once is the same as one after the other.
    """
    names = [inbox.Arriving(m.conversation_id, m.message_id, m.customer.id) for m in (one.message for one in incoming)]
    found = inbox.arrive(tx, channel, account, names)
    wanted = [(n, around) for n, around in enumerate(found) if not around.forgotten]
    message_ids = _store(tx, [(incoming[n], around) for n, around in wanted], channel, account)
    arrivals = [Arrival()] * len(incoming)
    bursts: dict[Due, list[int]] = {}
    for (n, around), message_id in zip(wanted, message_ids, strict=True):
        if message_id is not None:
            arrivals[n] = arrival = _take_its_place(tx, incoming[n], around, message_id, settings)
            if arrival.due is not None:
                bursts.setdefault(arrival.due, []).append(around.row["id"])
    for due, conversation_ids in bursts.items():  # mostly one
        conversations.set_due(tx, conversation_ids, due.at, due.started)
    return arrivals


def _store(
    tx: Transaction, wanted: Sequence[tuple[Incoming, inbox.Arrived]], channel: str, account: str
) -> list[int | None]:
    """Customers and messages; the messages' ids, None for those that were known."""
    if not wanted:  # nothing of a forgotten customer is stored again
        return []
    people = [one.message.customer for one, _ in wanted]
    known = {one.message.customer.id: found.customer for one, found in wanted if found.customer is not None}
    customer_ids = customers.keep(tx, channel, account, people, known=known, now=tx.now())
    rows = [
        {
            "conversation_id": found.row["id"],
            "customer_id": customer_id,
            "event_id": one.event_id,
            "external_id": one.message.message_id,
            "seq": found.row["next_seq"] - 1,
            "sender": one.message.sender,
            "text": one.message.text,
            "sent_at": one.sent_at,
            "body_sha256": sha256(one.message.model_dump_json().encode()),
        }
        for (one, found), customer_id in zip(wanted, customer_ids, strict=True)
    ]
    return inbox.add_messages(tx, channel, account, rows)


def _take_its_place(
    tx: Transaction, one: Incoming, found: inbox.Arrived, message_id: int, settings: TurnSettings
) -> Arrival:
    """A stored message ends at once, joins an open review or waits for a turn."""
    row, message = found.row, one.message
    ended = _ends_at_once(tx, found, message)
    if ended is not None:
        messages.end(tx, messages.by_id(message_id), *ended)
        if ended[1] is Reason.AGENT_MESSAGE:
            take_over_locked(tx, row, one.sent_at)
        return Arrival(message_id)
    pictures.add_uses(tx, message_id, [a.url for a in message.attachments])
    has_pictures = bool(message.attachments)
    review_id = found.open_review_id
    if review_id is not None:
        messages.join_review(tx, row["id"], review_id)
        reviews.bump(tx, review_id)
        reviews.record(tx, review_id, None, "customer_wrote", {"message_id": message_id})
        return Arrival(message_id, has_pictures)
    if row["burst_started_at"] is None and not has_pictures:  # the common case needs no look at what waits
        quiet_until = tx.now() + timedelta(seconds=min(settings.quiet_s, settings.wait_at_most_s))
        return Arrival(message_id, due=Due(quiet_until, tx.now()))
    return Arrival(message_id, has_pictures, _due(tx, row, settings))


def _ends_at_once(tx: Transaction, found: inbox.Arrived, message: MessageCreated) -> tuple[End, Reason | None] | None:
    row = found.row
    if message.sender != "customer":
        ours = message.sender == "bot" or outbound.is_ours(
            tx, row["id"], message.outbound_id, message.text, ECHO_WINDOW_S
        )
        return End.IGNORED, Reason.OWN_ECHO if ours else Reason.AGENT_MESSAGE
    if found.revoked_at is not None:
        return End.REVOKED, Reason.REVOKED
    if not message.text.strip() and not message.attachments:
        return End.IGNORED, Reason.EMPTY
    if row["owner"] == Owner.OUTSIDE:
        return End.HANDED_OVER, Reason.TAKEN_OVER
    return None


def picture_settled(tx: Transaction, conversation_id: int, settings: TurnSettings) -> datetime | None:
    """A picture was fetched or given up: the waiting burst may be due now."""
    row = conversations.lock(tx, conversation_id)
    due = None if row["due_at"] is None else _due(tx, row, settings)
    if due is None:
        return None
    conversations.set_due(tx, [conversation_id], due.at, due.started)
    return due.at


def _due(tx: Transaction, row: Row, settings: TurnSettings) -> Due | None:
    waiting = messages.waiting(tx, row["id"])
    if not waiting:
        return None
    started = row["burst_started_at"] or tx.now()
    return Due(due_time(waiting, started=started, now=tx.now(), settings=settings), started)


def due_time(waiting: Sequence[Row], *, started: datetime, now: datetime, settings: TurnSettings) -> datetime:
    """When a burst is answered: pictures settled and quiet; at once when a question comes with or after a picture."""
    at_the_latest = started + timedelta(seconds=settings.wait_at_most_s)
    if any(m["unsettled"] for m in waiting):
        return at_the_latest
    if asks_after_a_picture(waiting):
        return now
    last: datetime = max(m["received_at"] for m in waiting)
    quiet = last + timedelta(seconds=settings.quiet_s)
    return min(quiet, at_the_latest)


def asks_after_a_picture(waiting: Sequence[Row]) -> bool:
    """Whether a text that is more than a greeting comes with or after a picture."""
    seen_picture = False
    for message in waiting:
        seen_picture = seen_picture or bool(message["pictures"])
        if seen_picture and message["text"].strip() and not read_question(message["text"]).greeting_only:
            return True
    return False
