"""Raw events and messages: the inbox and the ledger."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, or_, select, union_all, update
from sqlalchemy.engine import RowMapping

from cs_bot.records import End, Reason
from cs_bot.store.database import Transaction
from cs_bot.store.queries.hashed import both_forms
from cs_bot.store.queries.sql import built, insert
from cs_bot.store.tables import accounts_seen, customers, events, messages, outbound, picture_uses, revocations


def saw_accounts(tx: Transaction, since_s: float) -> None:
    """Note which accounts were alive lately (upkeep; a row that every webhook touched would queue them)."""
    since = tx.now() - timedelta(seconds=since_s)
    alive = tx.rows(
        select(events.c.channel, events.c.account, func.max(events.c.received_at).label("last"))
        .where(events.c.received_at >= since)
        .group_by(events.c.channel, events.c.account)
        .order_by(events.c.channel, events.c.account)  # two upkeep processes must not wait for each other crosswise
    )
    for row in alive:
        new = insert(tx, accounts_seen).values(
            channel=row["channel"], account=row["account"], first_seen_at=row["last"], last_seen_at=row["last"]
        )
        tx.execute(new.on_conflict_do_update(index_elements=["channel", "account"], set_={"last_seen_at": row["last"]}))


def find(tx: Transaction, channel: str, account: str, external_id: str) -> RowMapping | None:
    """A message by the platform's id, also when only its hash is left."""
    forms = both_forms(channel, account, external_id)
    return tx.row(
        select(messages).where(
            messages.c.channel == channel, messages.c.account == account, messages.c.external_id.in_(forms)
        )
    )


def event_conflicts(tx: Transaction, event_id: int) -> int:
    """How many deliveries came under the same delivery id with another body."""
    return int(tx.value(select(events.c.conflicts).where(events.c.id == event_id)) or 0)


def _waiting(conversation_id: int) -> ColumnElement[bool]:
    return (
        (messages.c.conversation_id == conversation_id)
        & messages.c.end.is_(None)
        & messages.c.turn_id.is_(None)
        & messages.c.review_id.is_(None)
    )


def waiting(tx: Transaction, conversation_id: int) -> Sequence[RowMapping]:
    """Messages that no turn or review has taken yet, with `pictures` and `unsettled` counts, by arrival."""
    of_message = picture_uses.c.message_id == messages.c.id
    unsettled = picture_uses.c.state.in_(["waiting", "fetching"])
    return tx.rows(
        select(
            messages.c.id,
            messages.c.seq,
            messages.c.text,
            messages.c.received_at,
            select(func.count()).select_from(picture_uses).where(of_message).scalar_subquery().label("pictures"),
            select(func.count())
            .select_from(picture_uses)
            .where(of_message, unsettled)
            .scalar_subquery()
            .label("unsettled"),
        )
        .where(_waiting(conversation_id))
        .order_by(messages.c.seq)
    )


def any_waiting(tx: Transaction, conversation_id: int) -> bool:
    """Whether a message waits for a turn."""
    return bool(tx.value(select(exists().where(_waiting(conversation_id)))))


@built
def _waiting_span(conversation_id: int) -> Any:
    return select(func.min(messages.c.seq), func.max(messages.c.seq)).where(_waiting(conversation_id))


def waiting_span(tx: Transaction, conversation_id: int) -> tuple[int, int] | None:
    """The lowest and the highest seq of what waits for a turn; None when nothing does."""
    first, last = tuple(tx.execute(_waiting_span(conversation_id)).one())
    return None if first is None else (first, last)


@built
def _assign_turn(conversation_id: int, turn_id: int) -> Any:
    return update(messages).where(_waiting(conversation_id)).values(turn_id=turn_id).returning(*messages.c)


def assign_turn(tx: Transaction, conversation_id: int, turn_id: int) -> list[RowMapping]:
    """Give all waiting messages to a turn; them, in the order the customer wrote them."""
    taken = tx.rows(_assign_turn(conversation_id, turn_id))
    return sorted(taken, key=lambda row: (row["sent_at"], row["seq"]))


def give_to_turn(tx: Transaction, conversation_id: int, turn_id: int) -> None:
    """As assign_turn, without reading them."""
    tx.execute(update(messages).where(_waiting(conversation_id)).values(turn_id=turn_id))


def join_review(tx: Transaction, conversation_id: int, review_id: int, *, turn_id: int | None = None) -> int:
    """Give a turn's open messages, and all waiting ones, to a review; how many."""
    joined = tx.execute(update(messages).where(_waiting(conversation_id)).values(review_id=review_id)).rowcount
    if turn_id is not None:
        of_turn = (messages.c.turn_id == turn_id) & messages.c.end.is_(None)
        joined += tx.execute(update(messages).where(of_turn).values(review_id=review_id)).rowcount
    return joined


def change_review(tx: Transaction, old_review_id: int, new_review_id: int) -> None:
    """Open messages of a closed review move to another one (its reply could not be delivered)."""
    tx.execute(
        update(messages).where(of_review(old_review_id), messages.c.end.is_(None)).values(review_id=new_review_id)
    )


def release_from_turn(tx: Transaction, turn_id: int) -> int:
    """Open messages of a turn wait again; how many."""
    return tx.execute(update(messages).where(of_turn(turn_id), messages.c.end.is_(None)).values(turn_id=None)).rowcount


def end(tx: Transaction, which: ColumnElement[bool], ending: End, reason: Reason | None = None) -> int:
    """End the messages of `which` that have not ended; how many."""
    return tx.execute(
        update(messages).where(which, messages.c.end.is_(None)).values(end=ending, end_reason=reason, ended_at=tx.now())
    ).rowcount


def of_turn(turn_id: int) -> ColumnElement[bool]:
    """Messages of a turn."""
    return messages.c.turn_id == turn_id


def of_review(review_id: int) -> ColumnElement[bool]:
    """Messages of a review."""
    return messages.c.review_id == review_id


def all_waiting(conversation_id: int) -> ColumnElement[bool]:
    """Messages that wait for a turn."""
    return _waiting(conversation_id)


def of_reviews(review_ids: Collection[int]) -> ColumnElement[bool]:
    """Messages of these reviews."""
    return messages.c.review_id.in_(review_ids)


def by_id(message_id: int) -> ColumnElement[bool]:
    """One message."""
    return messages.c.id == message_id


def rows_of(tx: Transaction, which: ColumnElement[bool]) -> Sequence[RowMapping]:
    """Messages in the order the customer wrote them."""
    return tx.rows(select(messages).where(which).order_by(messages.c.sent_at, messages.c.seq))


def _with_writers(which: ColumnElement[bool]) -> Any:
    writer = customers.c.external_id.label("customer_external_id")
    written = select(messages, writer).join(customers, customers.c.id == messages.c.customer_id)
    return written.where(which).order_by(messages.c.sent_at, messages.c.seq)


@built
def _turn_with_writers(turn_id: int) -> Any:
    return _with_writers(of_turn(turn_id))


@built
def _review_with_writers(review_id: int) -> Any:
    return _with_writers(of_review(review_id))


def answered_by(tx: Transaction, row: RowMapping) -> Sequence[RowMapping]:
    """The messages that a row of the outbox answers, as rows_of, each with its writer's id at the platform."""
    if row["review_id"] is not None:
        return tx.rows(_review_with_writers(row["review_id"]))
    return tx.rows(_turn_with_writers(row["turn_id"])) if row["turn_id"] is not None else ()


@built
def _open_now(conversation_id: int, turn_id: int) -> Any:
    open_ = messages.c.conversation_id == conversation_id, messages.c.end.is_(None)
    mine_or_waiting = or_(messages.c.turn_id == turn_id, _waiting(conversation_id))
    return select(messages.c.id, messages.c.turn_id).where(*open_, mine_or_waiting)


def open_now(tx: Transaction, conversation_id: int, turn_id: int) -> tuple[set[int], bool]:
    """Ids of a turn's messages that have not ended, and whether others wait for a turn by now."""
    rows = tx.rows(_open_now(conversation_id, turn_id))
    return {row["id"] for row in rows if row["turn_id"] == turn_id}, any(row["turn_id"] is None for row in rows)


def count_open(tx: Transaction, which: ColumnElement[bool]) -> int:
    """How many of `which` have not ended."""
    return int(tx.value(select(func.count()).select_from(messages).where(which, messages.c.end.is_(None))))


def revoke(tx: Transaction, channel: str, account: str, external_id: str) -> RowMapping | None:
    """Remember a revoke; the message's row as it was, None when it has not arrived yet."""
    now = tx.now()
    tx.execute(
        insert(tx, revocations)
        .values(channel=channel, account=account, external_id=external_id, revoked_at=now)
        .on_conflict_do_nothing()
    )
    row = find(tx, channel, account, external_id)
    if row is not None and row["end"] is None:
        tx.execute(update(messages).where(messages.c.id == row["id"]).values(revoked_at=now))
        end(tx, by_id(row["id"]), End.REVOKED, Reason.REVOKED)
    return row


@built
def _earlier(conversation_id: int, before_seq: int, limit: int) -> Any:
    said = (
        select(messages.c.sent_at, messages.c.sender, messages.c.text)
        .where(
            messages.c.conversation_id == conversation_id,
            messages.c.seq < before_seq,
            messages.c.revoked_at.is_(None),
            messages.c.text != "",
        )
        .order_by(messages.c.seq.desc())
        .limit(limit)
    )
    shown = outbound.c.state == "sent", outbound.c.kind != "handoff", outbound.c.forgotten_at.is_(None)
    replied = (
        select(outbound.c.sent_at, case((outbound.c.kind == "agent", "agent"), else_="bot"), outbound.c.text)
        .where(outbound.c.conversation_id == conversation_id, *shown)
        .order_by(outbound.c.id.desc())
        .limit(limit)
    )
    return union_all(select(said.subquery()), select(replied.subquery()))


def earlier(tx: Transaction, conversation_id: int, *, before_seq: int, limit: int = 10) -> tuple[tuple[str, str], ...]:
    """The last exchanges before a burst: (customer | agent | bot, text), oldest first."""
    talk = sorted(tuple(row) for row in tx.execute(_earlier(conversation_id, before_seq, limit)))
    return tuple((who, words) for _sent_at, who, words in talk[-limit:])
