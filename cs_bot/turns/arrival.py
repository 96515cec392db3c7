"""A message arrives: it joins an open review, waits for a turn, or ends at once; and when a turn is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cs_bot.knowledge.intents import read_question
from cs_bot.records import End, Owner, Reason
from cs_bot.schemas import MessageCreated
from cs_bot.settings import TurnSettings
from cs_bot.store.database import Row, Transaction
from cs_bot.store.queries import conversations, customers, messages, outbound, pictures, reviews
from cs_bot.store.queries.sql import sha256
from cs_bot.turns.people import take_over_locked

ECHO_WINDOW_S = 900.0


@dataclass(frozen=True)
class Arrival:
    """What to ring for after the commit."""

    message_id: int | None  # None: known already
    has_pictures: bool = False
    due_at: datetime | None = None


def arrive(
    tx: Transaction,
    message: MessageCreated,
    *,
    channel: str,
    account: str,
    event_id: int,
    sent_at: datetime,
    settings: TurnSettings,
) -> Arrival:
    """Store one message inside the webhook's transaction (T1)."""
    person = message.customer
    found = conversations.arrive(tx, channel, account, message.conversation_id, message.message_id, person.id)
    if found.forgotten:  # before anything of the customer is stored again
        return Arrival(None)
    row = found.row
    customer_id = customers.keep(tx, channel, account, person, known=found.customer, now=tx.now())
    message_id = messages.add(
        tx,
        conversation_id=row["id"],
        customer_id=customer_id,
        event_id=event_id,
        channel=channel,
        account=account,
        external_id=message.message_id,
        seq=row["next_seq"] - 1,
        sender=message.sender,
        text=message.text,
        sent_at=sent_at,
        body_sha256=sha256(message.model_dump_json().encode()),
    )
    if message_id is None:
        return Arrival(None)
    ended = _ends_at_once(tx, found, message, sent_at)
    if ended is not None:
        messages.end(tx, messages.by_id(message_id), *ended)
        if ended[1] is Reason.AGENT_MESSAGE:
            take_over_locked(tx, row, sent_at)
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
        due_at = tx.now() + timedelta(seconds=min(settings.quiet_s, settings.wait_at_most_s))
        conversations.set_due(tx, row["id"], due_at, tx.now())
        return Arrival(message_id, due_at=due_at)
    return Arrival(message_id, has_pictures, _set_due(tx, row, settings))


def _ends_at_once(
    tx: Transaction, found: conversations.Arrived, message: MessageCreated, sent_at: datetime
) -> tuple[End, Reason | None] | None:
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
    return None if row["due_at"] is None else _set_due(tx, row, settings)


def _set_due(tx: Transaction, row: Row, settings: TurnSettings) -> datetime | None:
    waiting = messages.waiting(tx, row["id"])
    if not waiting:
        return None
    started = row["burst_started_at"] or tx.now()
    due_at = due_time(waiting, started=started, now=tx.now(), settings=settings)
    conversations.set_due(tx, row["id"], due_at, started)
    return due_at


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
