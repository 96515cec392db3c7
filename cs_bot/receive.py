"""1  verify -> parse -> dedupe -> store -> ring."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from cs_bot import turns
from cs_bot.channels.base import Channel, Delivery, Payload, RawRequest
from cs_bot.errors import BadSignature, NotJson
from cs_bot.knowledge.catalog import searchable
from cs_bot.schemas import MessageCreated, MessageRevoked, OrderIn, ProductIn, Released, TakenByHuman
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import inbox, orders, product_pictures, products
from cs_bot.store.queries.sql import sha256

BIG = 100_000  # bytes of a body that is written alone: a statement is held in memory several times over

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
    received = database.write_together(_store_all, _Brought(request, delivery, channel, account, settings))
    if not delivery.is_json:
        raise NotJson
    for queue in sorted(received.bells):
        ring(queue)
    return received


@dataclass
class _Brought:
    """What one webhook brings to a commit that it may share with others."""

    request: RawRequest
    delivery: Delivery
    channel: str
    account: str
    settings: Settings
    received: Received = field(default_factory=Received)
    event_id: int = 0

    @property
    def place(self) -> tuple[str, str]:
        """Whose it is: nothing of one account touches another's."""
        return self.channel, self.account

    @property
    def alone(self) -> bool:
        """Whether it is big, or may bring more than one new message."""
        payloads = self.delivery.payloads
        plain = not payloads or (len(payloads) == 1 and isinstance(payloads[0], MessageCreated))
        return not plain or len(self.request.body) > BIG

    @property
    def names(self) -> set[tuple[str, str]]:
        """What it touches, unless it is `alone`."""
        found = {("delivery", self.delivery.delivery_id)}
        for message in self.delivery.payloads:
            if isinstance(message, MessageCreated):
                found |= {("conversation", message.conversation_id), ("message", message.message_id)}
                found.add(("customer", message.customer.id))
        return found


def _store_all(tx: Transaction, brought: Sequence[_Brought]) -> list[Received]:
    """Write what shares a commit, with the outcome as if one came after the other."""
    for one in brought:
        one.received = Received(problem=one.delivery.problem)  # anew, when an earlier try was undone
    for part in _parts(brought):
        _store_part(tx, part)
    return [one.received for one in brought]


def _parts(brought: Sequence[_Brought]) -> Iterator[list[_Brought]]:
    """What may be written together: new messages of one account of which no two touch the same thing.

    Everything else is a part of its own. An account's deliveries stay in the order in which they came.
    """
    for _, ones in groupby(sorted(brought, key=attrgetter("place")), key=attrgetter("place")):
        part: list[_Brought] = []
        taken: set[tuple[str, str]] = set()
        for one in ones:
            if part and (one.alone or part[0].alone or one.names & taken):
                yield part
                part, taken = [], set()
            part.append(one)
            taken |= one.names
        yield part


def _store_part(tx: Transaction, part: Sequence[_Brought]) -> None:
    rows = [
        {
            "external_id": one.delivery.delivery_id,
            "body": one.request.body,
            "body_sha256": sha256(one.request.body),
            "type": one.delivery.type,
            "state": _state(one.delivery),
            "problem": (one.delivery.problem or "")[:300] or None,
        }
        for one in part
    ]
    new: list[_Brought] = []
    for one, event_id in zip(part, inbox.add_events(tx, *part[0].place, rows), strict=True):
        if event_id is None:
            one.received.duplicate = True
        else:
            one.event_id = event_id
            new.append(one)
    if part[0].alone:
        for one in new:
            for payload in one.delivery.payloads:
                _store(tx, payload, one)
    else:
        _store_messages(tx, [(one, payload) for one in new for payload in one.delivery.payloads])


def _state(delivery: Delivery) -> str:
    if not delivery.is_json:
        return "not_json"
    return "parsed" if delivery.payloads else "unparsed"


def _store_messages(tx: Transaction, new: Sequence[tuple[_Brought, Payload]]) -> None:
    pairs = [(one, message) for one, message in new if isinstance(message, MessageCreated)]
    if not pairs:
        return
    channel, account = pairs[0][0].place
    incoming = [turns.Incoming(m, one.event_id, m.sent_at or one.delivery.timestamp) for one, m in pairs]
    settings = pairs[0][0].settings.turns
    arrivals = turns.arrive(tx, incoming, channel=channel, account=account, settings=settings)
    for (one, _), arrival in zip(pairs, arrivals, strict=True):
        if arrival.has_pictures:
            one.received.bells.add("fetch")
        if arrival.due is not None:
            one.received.bells.add("answer")


def _store(tx: Transaction, payload: Payload, one: _Brought) -> None:
    channel, account = one.place
    delivery = one.delivery
    match payload:
        case MessageCreated():
            _store_messages(tx, [(one, payload)])
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
                one.received.bells.add("fetch")
