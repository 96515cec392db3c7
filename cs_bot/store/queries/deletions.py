"""One customer's rows everywhere, and the proof that they were deleted."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, distinct, exists, func, or_, select, update
from sqlalchemy.engine import RowMapping

from cs_bot.store.database import Transaction
from cs_bot.store.queries.hashed import hashed_id
from cs_bot.store.queries.outbound import UNDELIVERED
from cs_bot.store.queries.retention import Rule, message_lives
from cs_bot.store.tables import (
    cache_checks,
    conversations,
    customers,
    deletions,
    events,
    messages,
    orders,
    outbound,
    picture_uses,
    reviews,
    revocations,
    turns,
)

GONE = "deleted:"  # external id of a customer who was deleted, or of a conversation that was so twice


def row_of(tx: Transaction, customer_id: int) -> RowMapping | None:
    """A customer's row, deleted or not."""
    return tx.row(select(customers).where(customers.c.id == customer_id))


def lock(tx: Transaction, customer_id: int) -> None:
    """Wait for whoever is storing something of the customer, and hold up whoever wants to."""
    tx.execute(select(customers.c.id).where(customers.c.id == customer_id).with_for_update())


def id_of(tx: Transaction, channel: str, account: str, external_id: str) -> int | None:
    """The customer whom the platform knows by that id now, else the last one who was deleted under it."""
    known = select(customers.c.id).where(
        customers.c.channel == channel, customers.c.account == account, customers.c.external_id == external_id
    )
    before = select(deletions.c.customer_id).where(
        deletions.c.channel == channel,
        deletions.c.account == account,
        deletions.c.external_id_sha256 == hashed_id(channel, account, external_id),
    )
    found = tx.value(known)
    if found is None:
        found = tx.value(before.order_by(deletions.c.id.desc()).limit(1))
    return None if found is None else int(found)


def proof(tx: Transaction, customer_id: int) -> RowMapping | None:
    """The proof row of a deleted customer."""
    return tx.row(select(deletions).where(deletions.c.customer_id == customer_id))


def _mine(customer_id: int) -> ColumnElement[bool]:
    return messages.c.customer_id == customer_id


def _turns(customer_id: int) -> Any:
    return select(messages.c.turn_id).where(_mine(customer_id), messages.c.turn_id.is_not(None))


def _reviews(customer_id: int) -> Any:
    return select(messages.c.review_id).where(_mine(customer_id), messages.c.review_id.is_not(None))


def _alone(customer_id: int) -> Any:
    """Conversations in which nobody else writes."""
    others = messages.alias("others")
    shared = exists().where(
        others.c.conversation_id == messages.c.conversation_id, others.c.customer_id != messages.c.customer_id
    )
    return select(messages.c.conversation_id).where(_mine(customer_id), ~shared)


def _outbound(customer_id: int) -> ColumnElement[bool]:
    return or_(
        outbound.c.turn_id.in_(_turns(customer_id)),
        outbound.c.review_id.in_(_reviews(customer_id)),
        outbound.c.conversation_id.in_(_alone(customer_id)),
    )


def _theirs(rule: Rule, customer_id: int) -> ColumnElement[bool]:
    """Which rows of a rule's table are this customer's."""
    table = rule.table
    if table is messages:
        return _mine(customer_id)
    if table is events:
        return events.c.id.in_(select(messages.c.event_id).where(_mine(customer_id)))
    if table is reviews:
        return reviews.c.id.in_(_reviews(customer_id))
    if table is outbound:
        return _outbound(customer_id)
    if "review_id" in table.c:
        return table.c.review_id.in_(_reviews(customer_id))
    return table.c.turn_id.in_(_turns(customer_id))


def ids_to_forget(tx: Transaction, rule: Rule, customer_id: int, limit: int) -> list[int]:
    """The next rows of a rule's table that hold something of the customer."""
    table = rule.table
    which = _theirs(rule, customer_id) & table.c.forgotten_at.is_(None)
    return [int(row["id"]) for row in tx.rows(select(table.c.id).where(which).order_by(table.c.id).limit(limit))]


def live(tx: Transaction, customer_id: int) -> dict[str, int]:
    """What of theirs is not over yet; {} when everything is."""
    mine, open_turn = _mine(customer_id), select(turns.c.id).where(turns.c.state == "working")
    undelivered = _outbound(customer_id)
    open_reviews = select(reviews.c.id).where(reviews.c.id.in_(_reviews(customer_id)), reviews.c.state == "open")
    counted = {
        "messages without an end": select(func.count()).select_from(messages).where(mine, messages.c.end.is_(None)),
        "open reviews": select(func.count()).select_from(open_reviews.subquery()),
        "live turns": select(func.count(distinct(messages.c.turn_id))).where(mine, messages.c.turn_id.in_(open_turn)),
        "undelivered replies": select(func.count())
        .select_from(outbound)
        .where(undelivered, outbound.c.state.in_(UNDELIVERED)),
        "messages of unfinished work": select(func.count()).select_from(messages).where(mine, message_lives()),
    }
    found = {what: int(tx.value(statement)) for what, statement in counted.items()}
    if any(n for what, n in found.items() if what != "messages of unfinished work"):
        found.pop("messages of unfinished work")
    return {what: n for what, n in found.items() if n}


def open_messages(tx: Transaction, customer_id: int) -> Sequence[RowMapping]:
    """Messages without an end, with their conversation's external id (`conversation`)."""
    return tx.rows(
        select(
            messages.c.channel,
            messages.c.account,
            messages.c.external_id,
            conversations.c.external_id.label("conversation"),
        )
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(_mine(customer_id), messages.c.end.is_(None))
        .order_by(messages.c.id)
    )


def pending_rows(tx: Transaction, customer_id: int) -> Sequence[RowMapping]:
    """Rows of the outbox to them that nobody is sending."""
    which = _outbound(customer_id)
    return tx.rows(select(outbound.c.id, outbound.c.conversation_id).where(which, outbound.c.state == "pending"))


def uses_of(customer_id: int) -> ColumnElement[bool]:
    """Pictures of their messages."""
    return picture_uses.c.message_id.in_(select(messages.c.id).where(_mine(customer_id)))


def drop_revocations(tx: Transaction, customer_id: int) -> None:
    """The platform's ids of messages that they took back."""
    theirs = exists().where(
        _mine(customer_id),
        messages.c.channel == revocations.c.channel,
        messages.c.account == revocations.c.account,
        messages.c.external_id == revocations.c.external_id,
    )
    tx.execute(delete(revocations).where(theirs))


def drop_cache_checks(tx: Transaction, customer_id: int) -> None:
    """Personal looks that wait to be computed again."""
    tx.execute(delete(cache_checks).where(cache_checks.c.customer_id == customer_id))


def conversations_of(tx: Transaction, customer_id: int, *, alone: bool) -> list[tuple[int, str]]:
    """(id, external id) of conversations they wrote in; `alone`: in which nobody else did."""
    which = _alone(customer_id) if alone else select(messages.c.conversation_id).where(_mine(customer_id))
    rows = tx.rows(select(conversations.c.id, conversations.c.external_id).where(conversations.c.id.in_(which)))
    return [(row["id"], row["external_id"]) for row in sorted(rows, key=lambda row: int(row["id"]))]


def unlink_orders(tx: Transaction, row: RowMapping) -> int:
    """Take the customer out of the orders that were theirs by id, e-mail or phone (knowledge/orders.py); how many.

    The orders themselves are the shop's records and stay.
    """
    same_account = (orders.c.channel == row["channel"]) & (orders.c.account == row["account"])
    named = orders.c.customer_external_id.is_not(None)
    by_contact = or_(orders.c.email.in_(list(row["emails"])), orders.c.phone.in_(list(row["phones"])))
    theirs = or_(
        same_account & (orders.c.customer_external_id == row["external_id"]), by_contact & ~(same_account & named)
    )
    found = [r["id"] for r in tx.rows(select(orders.c.id).where(theirs))]
    gone = {"customer_external_id": None, "email": None, "phone": None}
    for start in range(0, len(found), 500):
        tx.execute(update(orders).where(orders.c.id.in_(found[start : start + 500])).values(**gone))
    return len(found)


def bodies(tx: Transaction, after_id: int, limit: int) -> Sequence[RowMapping]:
    """The next raw deliveries that still have their body."""
    return tx.rows(
        select(events.c.id, events.c.channel, events.c.account, events.c.body)
        .where(events.c.id > after_id, events.c.body.is_not(None))
        .order_by(events.c.id)
        .limit(limit)
    )


def events_by_id(ids: Collection[int]) -> ColumnElement[bool]:
    """These deliveries."""
    return events.c.id.in_(ids)


def rename_conversations(tx: Transaction, row: RowMapping, found: Collection[tuple[int, str]]) -> None:
    """Conversations keep the hash of their id, so that whoever has taken one over keeps it (inbox.arrive)."""
    for conversation_id, external_id in found:
        hashed = hashed_id(row["channel"], row["account"], external_id)
        same = (conversations.c.channel == row["channel"]) & (conversations.c.account == row["account"])
        older = (conversations.c.external_id == hashed) & (conversations.c.id != conversation_id)
        for other in tx.rows(select(conversations.c.id).where(same, older)):
            _rename(tx, other["id"], f"{GONE}{other['id']}")
        _rename(tx, conversation_id, hashed)


def _rename(tx: Transaction, conversation_id: int, external_id: str) -> None:
    tx.execute(update(conversations).where(conversations.c.id == conversation_id).values(external_id=external_id))


def close(tx: Transaction, row: RowMapping, *, actor: str, counts: dict[str, int]) -> None:
    """The customer's row keeps nothing of theirs; the proof is written."""
    gone: dict[str, Any] = {
        "external_id": f"{GONE}{row['id']}",
        "name": None,
        "emails": [],
        "phones": [],
        "updated_at": tx.now(),
    }
    tx.execute(update(customers).where(customers.c.id == row["id"]).values(**gone))
    tx.execute(
        deletions.insert().values(
            at=tx.now(),
            actor=actor[:100],
            customer_id=row["id"],
            channel=row["channel"],
            account=row["account"],
            external_id_sha256=hashed_id(row["channel"], row["account"], row["external_id"]),
            counts=counts,
        )
    )


def counted(tx: Transaction, customer_id: int) -> dict[str, int]:
    """How much there is of a customer."""
    mine = _mine(customer_id)
    statements = {
        "conversations": select(func.count(distinct(messages.c.conversation_id))).where(mine),
        "messages": select(func.count()).select_from(messages).where(mine),
        "pictures": select(func.count()).select_from(picture_uses).where(uses_of(customer_id)),
        "turns": select(func.count(distinct(messages.c.turn_id))).where(mine),
        "reviews": select(func.count(distinct(messages.c.review_id))).where(mine),
    }
    return {what: int(tx.value(statement)) for what, statement in statements.items()}
