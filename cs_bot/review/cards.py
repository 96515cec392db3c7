"""What an agent sees: the queue's lines and one review's card."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from cs_bot.errors import NotFound
from cs_bot.records import HIDES_DRAFT, Customer, Mode, PictureState, Reason, Record
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import customers, messages, pictures, reviews, shadows, turns


class ReviewSummary(Record):
    """One line of the queue."""

    review_id: int
    conversation_id: int
    channel: str
    account: str
    kind: str | None
    reasons: tuple[Reason, ...]
    suggestion: str
    version: int
    claimed_by: int | None
    claimed_by_name: str | None
    claimed_until: datetime | None
    opened_at: datetime
    due_at: datetime
    customer: str
    text: str


class CardPicture(Record):
    """A picture as an agent sees it."""

    sha256: str | None
    state: PictureState
    failure: Reason | None
    tags: tuple[str, ...]


class CardMessage(Record):
    """A message to answer."""

    message_id: int
    text: str
    sent_at: datetime
    revoked: bool
    pictures: tuple[CardPicture, ...]


class Shadow(Record):
    """What an agent answered beside a hidden draft, and whether the draft would have been right (None: not judged)."""

    answer: str
    right: bool | None


class ReviewCard(ReviewSummary):
    """Everything an agent needs to answer one conversation.

    `draft_hidden`: in shadow mode there is neither draft nor FAQ (whose answers drafts are made of) in here before the
    agent has answered; where the bot is off there never is.
    """

    state: str
    outcome: str | None
    messages: tuple[CardMessage, ...]
    earlier: tuple[tuple[str, str], ...]
    draft: dict[str, Any] | None
    draft_hidden: bool
    shadow: Shadow | None
    facts: dict[str, Any] | None
    looks: tuple[dict[str, Any], ...]
    flags: tuple[str, ...] = ()  # numbers of an agent's text that are in no fact


def list_open(
    database: Database, *, kind: str | None = None, claimed: bool | None = None, limit: int = 200
) -> list[ReviewSummary]:
    """The open reviews, the most urgent first."""
    with database.read() as tx:
        rows = reviews.list_open(tx, kind=kind, claimed=claimed, limit=limit)
        bursts: dict[int, list[Row]] = {row["id"]: [] for row in rows}
        for message in messages.rows_of(tx, messages.of_reviews(bursts)):
            bursts[message["review_id"]].append(message)
        people = {person.customer_id: person for person in _people(tx, chain.from_iterable(bursts.values()))}
        return [ReviewSummary(**_summary(row, bursts[row["id"]], people)) for row in rows]


def get(database: Database, review_id: int) -> ReviewCard:
    """One review with its conversation; raises NotFound."""
    with database.read() as tx:
        return card_of(tx, review_id)


def row_of(tx: Transaction, review_id: int) -> Row:
    row = reviews.get(tx, review_id)
    if row is None:
        raise NotFound("there is no such review")
    return row


def draft_of(tx: Transaction, row: Row) -> Row | None:
    """The row of the review's draft, seen by people or not."""
    return None if row["draft_id"] is None else turns.draft(tx, row["draft_id"])


def draft_text(tx: Transaction, row: Row) -> str | None:
    """The words of the draft, whether people see them or not."""
    found = draft_of(tx, row)
    return None if found is None or found["draft"] is None else str(found["draft"]["text"])


def mode_of(tx: Transaction, row: Row) -> Mode | None:
    """The mode in which the review's draft was decided: what the policy says now changes nothing of what people saw."""
    found = None if row["decision_id"] is None else turns.decision(tx, row["decision_id"])
    return None if found is None else turns.as_decision(found).mode


def burst_of(tx: Transaction, review_id: int) -> list[Row]:
    return list(messages.rows_of(tx, messages.of_review(review_id)))


def _people(tx: Transaction, burst: Iterable[Row]) -> Sequence[Customer]:
    return customers.get_many(tx, sorted({message["customer_id"] for message in burst}))


def _summary(row: Row, burst: list[Row], people: Mapping[int, Customer]) -> dict[str, Any]:
    customer = next((people[m["customer_id"]] for m in burst if m["customer_id"] in people), None)
    return {
        "review_id": row["id"],
        "conversation_id": row["conversation_id"],
        "channel": row["channel"],
        "account": row["account"],
        "kind": row["kind"],
        "reasons": tuple(Reason(r) for r in row["reasons"]),
        "suggestion": row["suggestion"],
        "version": row["version"],
        "claimed_by": row["claimed_by"],
        "claimed_by_name": row["claimed_by_name"],
        "claimed_until": row["claimed_until"],
        "opened_at": row["opened_at"],
        "due_at": row["due_at"],
        "customer": (customer.name or customer.external_id) if customer is not None else "",
        "text": "\n".join(m["text"] for m in burst if m["text"]),
    }


def card_of(tx: Transaction, review_id: int) -> ReviewCard:
    row = reviews.with_names(tx, review_id)
    if row is None:
        raise NotFound("there is no such review")
    burst = burst_of(tx, review_id)
    found, shadow = draft_of(tx, row), shadows.of_review(tx, review_id)
    hidden = mode_of(tx, row) in HIDES_DRAFT and shadow is None
    facts = None if found is None else _facts(found, hidden=hidden, shadow=shadow)
    looks = turns.looks_of(tx, found["turn_id"]) if found is not None else ()
    return ReviewCard(
        **_summary(row, burst, {person.customer_id: person for person in _people(tx, burst)}),
        state=row["state"],
        outcome=row["outcome"],
        messages=messages_of(tx, burst),
        earlier=messages.earlier(tx, row["conversation_id"], before_seq=min((m["seq"] for m in burst), default=0)),
        draft=None if found is None or hidden else found["draft"],
        draft_hidden=hidden,
        shadow=None if shadow is None else Shadow(answer=shadow["text"] or "", right=shadow["right"]),
        facts=facts,
        looks=tuple(look["body"] for look in looks),
    )


def unscored(facts: dict[str, Any]) -> dict[str, Any]:
    """The records of a turn without how surely they were found: that would sway who judges."""
    lookups = [{**one, "hits": [_bare(hit) for hit in one.get("hits", ())]} for one in facts.get("products", ())]
    return {**facts, "products": lookups, "faq": [_bare(hit) for hit in facts.get("faq", ())]}


def _bare(hit: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in hit.items() if name not in ("score", "margin")}


def _facts(draft: Row, *, hidden: bool, shadow: Row | None) -> dict[str, Any]:
    """The records as an agent may see them: unscored until a hidden draft was judged, and beside one without the FAQ,
    whose answers drafts repeat word by word."""
    facts: dict[str, Any] = draft["facts"]
    if hidden:
        return {**unscored(facts), "faq": []}
    return unscored(facts) if shadow is not None and shadow["right"] is None else facts


def messages_of(tx: Transaction, rows: Sequence[Row]) -> tuple[CardMessage, ...]:
    """Message rows with their pictures, as an agent sees them."""
    uses = pictures.of_messages(tx, [m["id"] for m in rows])
    return tuple(_card_message(m, uses.get(m["id"], ())) for m in rows)


def _card_message(row: Row, uses: Any) -> CardMessage:
    return CardMessage(
        message_id=row["id"],
        text=row["text"],
        sent_at=row["sent_at"],
        revoked=row["revoked_at"] is not None,
        pictures=tuple(
            CardPicture(sha256=use.sha256, state=use.state, failure=use.failure, tags=use.tags) for use in uses
        ),
    )
