"""1  verify -> parse -> dedupe -> store -> ring."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cs_bot import turns
from cs_bot.channels.base import Channel, Delivery, Payload, RawRequest
from cs_bot.errors import BadSignature, NotJson
from cs_bot.knowledge.catalog import searchable
from cs_bot.schemas import MessageCreated, MessageRevoked, OrderIn, ProductIn, Released, TakenByHuman
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import messages, orders, product_pictures, products
from cs_bot.store.queries.sql import sha256

Ring = Callable[[str], None]


@dataclass
class Received:
    """What a delivery brought; `bells` are the queues to ring after the commit."""

    status: int = 200
    duplicate: bool = False
    problem: str | None = None
    bells: set[str] = field(default_factory=set)


def receive(
    request: RawRequest,
    *,
    channel: str,
    account: str,
    channels: Mapping[tuple[str, str], Channel],
    database: Database,
    ring: Ring,
    settings: Settings,
) -> Received:
    """Take one webhook delivery (T1): everything it says is committed before 200 is answered.

    Raises BadSignature (an unknown account too), NotJson (signed; the raw body is kept) and StoreUnavailable.
    """
    handler = channels.get((channel, account))
    if handler is None:
        raise BadSignature
    handler.verify(request)
    delivery = handler.parse(request)
    received = database.write_together(lambda tx: _store_all(tx, request, delivery, channel, account, settings))
    if not delivery.is_json:
        raise NotJson
    for queue in sorted(received.bells):
        ring(queue)
    return received


def _store_all(
    tx: Transaction, request: RawRequest, delivery: Delivery, channel: str, account: str, settings: Settings
) -> Received:
    received = Received(problem=delivery.problem)
    event_id = messages.add_event(
        tx,
        channel=channel,
        account=account,
        external_id=delivery.delivery_id,
        body=request.body,
        body_sha256=sha256(request.body),
        type=delivery.type,
        state=_state(delivery),
        problem=(delivery.problem or "")[:300] or None,
    )
    if event_id is None:
        received.duplicate = True
        return received
    for payload in delivery.payloads:
        _store(tx, payload, delivery, channel, account, event_id, settings, received)
    return received


def _state(delivery: Delivery) -> str:
    if not delivery.is_json:
        return "not_json"
    return "parsed" if delivery.payloads else "unparsed"


def _store(
    tx: Transaction,
    payload: Payload,
    delivery: Delivery,
    channel: str,
    account: str,
    event_id: int,
    settings: Settings,
    received: Received,
) -> None:
    match payload:
        case MessageCreated():
            arrival = turns.arrive(
                tx,
                payload,
                channel=channel,
                account=account,
                event_id=event_id,
                sent_at=payload.sent_at or delivery.timestamp,
                settings=settings.turns,
            )
            if arrival.has_pictures:
                received.bells.add("fetch")
            if arrival.due_at is not None:
                received.bells.add("answer")
        case TakenByHuman():
            turns.take_over(tx, channel, account, payload.conversation_id, payload.at or delivery.timestamp)
        case Released():
            turns.release(tx, channel, account, payload.conversation_id, payload.at or delivery.timestamp)
        case MessageRevoked():
            turns.revoke(tx, channel, account, payload.conversation_id, payload.message_id)
        case OrderIn():
            orders.upsert(tx, channel, account, payload)
        case ProductIn():
            products.save_many(tx, channel, account, [searchable(payload)])
            if product_pictures.named(payload):
                received.bells.add("fetch")
