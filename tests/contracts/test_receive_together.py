"""Webhooks that share a commit: stored with one statement for many, each with what it says and nothing else's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import StatementError

from cs_bot.bootstrap import Services
from cs_bot.channels.base import RawRequest
from cs_bot.receive import BIG, Received
from cs_bot.records import Reason
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import conversations, reviews
from cs_bot.store.queries.hashed import hashed_id
from cs_bot.testing import shop_event, shop_message, shop_request
from tests.shared_commit import DAY, PICTURE, deliver, rows, shop_on, together


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Services]:
    with shop_on(database, tmp_path) as services:
        yield services


def says(text: str = "hello", delivery_id: str | None = None, **data: Any) -> RawRequest:
    return shop_request(shop_event("message.created", shop_message(text, **data), now=DAY), delivery_id=delivery_id)


def by(n: int, text: str = "hello", **data: Any) -> RawRequest:
    """A message of the n-th customer in the n-th conversation."""
    return says(text, **{"conversation_id": f"c{n}", "message_id": f"m{n}", "customer": {"id": f"u{n}"}, **data})


def happens(kind: str, **data: Any) -> RawRequest:
    return shop_request(shop_event(kind, data, now=DAY))


def ends(shop: Services) -> dict[str, str | None]:
    return {row["external_id"]: row["end_reason"] or row["end"] for row in rows(shop, tables.messages)}


def statements(shop: Services, work: Callable[[], object]) -> list[str]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(shop.database.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(shop.database.engine, "before_cursor_execute", note)
    return seen


def test_many_messages_of_many_customers_cost_as_many_statements_as_one(shop: Services) -> None:
    deliver(shop, by(0))
    alone = statements(shop, lambda: deliver(shop, by(1)))
    many = statements(shop, lambda: together(shop, [by(n) for n in range(2, 22)]))
    assert len(many) == len(alone)
    assert {row["external_id"]: row["seq"] for row in rows(shop, tables.messages)} == {f"m{n}": 1 for n in range(22)}
    assert all(row["due_at"] is not None for row in rows(shop, tables.conversations))


def test_every_message_stands_with_its_own_event_customer_and_conversation(shop: Services) -> None:
    together(shop, [by(n, f"words {n}") for n in (5, 3, 9, 1)])
    with shop.database.read() as tx:
        m, e, u, c = tables.messages, tables.events, tables.customers, tables.conversations
        found = tx.execute(
            select(m.c.external_id, m.c.text, e.c.body, u.c.external_id, c.c.external_id)
            .join(e, e.c.id == m.c.event_id)
            .join(u, u.c.id == m.c.customer_id)
            .join(c, c.c.id == m.c.conversation_id)
        ).all()
    assert {row[0] for row in found} == {"m1", "m3", "m5", "m9"}
    for message_id, text, body, customer, conversation in found:
        n = message_id[1:]
        assert (text, customer, conversation) == (f"words {n}", f"u{n}", f"c{n}")
        assert f'"{message_id}"'.encode() in body


def test_the_same_delivery_twice_in_one_commit_is_stored_once(shop: Services) -> None:
    request = says(delivery_id="d1", message_id="m1")
    first, again, other = together(shop, [request, request, by(2)])
    assert (first.duplicate, again.duplicate, other.duplicate) == (False, True, False)
    assert [row["conflicts"] for row in rows(shop, tables.events)] == [0, 0]
    assert ends(shop) == {"m1": None, "m2": None}


def test_the_same_delivery_id_with_another_body_in_one_commit_keeps_the_first_and_is_flagged(shop: Services) -> None:
    first = says("first", delivery_id="d1", message_id="m1")
    second = says("second", delivery_id="d1", message_id="m2", conversation_id="c2", customer={"id": "u2"})
    outcomes = together(shop, [by(3), first, second, by(4)])
    assert [outcome.duplicate for outcome in outcomes] == [False, False, True, False]
    assert sorted(row["conflicts"] for row in rows(shop, tables.events)) == [0, 0, 1]
    assert ends(shop) == {"m1": None, "m3": None, "m4": None}


def test_the_same_message_id_with_another_text_in_one_commit_keeps_the_first_and_is_flagged(shop: Services) -> None:
    together(shop, [says("first", message_id="m1"), says("second", message_id="m1", conversation_id="c2")])
    [stored] = rows(shop, tables.messages)
    assert (stored["text"], stored["conflicts"]) == ("first", 1)


def test_what_is_known_already_does_not_keep_its_neighbours_out(shop: Services) -> None:
    deliver(shop, says("first", delivery_id="d1", message_id="m1"))
    again = says("other words", delivery_id="d1", message_id="m1")
    retold = says("third", delivery_id="d2", message_id="m1", conversation_id="c7", customer={"id": "u7"})
    outcomes = together(shop, [by(2), again, retold, by(3)])
    assert [outcome.duplicate for outcome in outcomes] == [False, True, False, False]
    assert [sorted(outcome.bells) for outcome in outcomes] == [["answer"], [], [], ["answer"]]
    stored = {row["external_id"]: (row["text"], row["conflicts"]) for row in rows(shop, tables.messages)}
    assert stored == {"m1": ("first", 1), "m2": ("hello", 0), "m3": ("hello", 0)}


def test_a_burst_of_one_conversation_keeps_its_order(shop: Services) -> None:
    burst = [says(f"part {n}", message_id=f"m{n}", attachments=[{"url": PICTURE}] if n == 2 else []) for n in range(4)]
    together(shop, [by(8), *burst, by(9)])
    of_burst = [row for row in rows(shop, tables.messages) if row["external_id"] in {"m0", "m1", "m2", "m3"}]
    assert [(row["seq"], row["text"]) for row in of_burst] == [(n + 1, f"part {n}") for n in range(4)]
    assert len(rows(shop, tables.customers)) == 3


def test_two_messages_of_one_customer_in_one_commit_keep_both_contacts(shop: Services) -> None:
    mine = [by(n, customer={"id": "u1", "email": f"me{n}@shop.example"}) for n in (1, 2)]
    together(shop, mine)
    [stored] = rows(shop, tables.customers)
    assert stored["emails"] == ["me1@shop.example", "me2@shop.example"]


def test_a_piece_that_no_database_takes_fails_alone(shop: Services) -> None:
    outcomes = together(shop, [by(1), by(2), says(message_id="bad", delivery_id="bad"), by(3)])
    assert [type(outcome) for outcome in outcomes] == [Received, Received, StatementError, Received]
    assert ends(shop) == {"m1": None, "m2": None, "m3": None}
    assert len(rows(shop, tables.events)) == 3
    assert shop.rung == ["answer"] * 3  # type: ignore[attr-defined]


def test_revokes_takeovers_and_agents_words_count_where_they_stand(shop: Services) -> None:
    together(
        shop,
        [
            happens("message.revoked", conversation_id="c1", message_id="m1"),
            by(1),
            by(2),
            happens("message.revoked", conversation_id="c2", message_id="m2"),
            by(3),
            happens("conversation.taken_by_human", conversation_id="c4"),
            by(4),
            by(5),
            by(5, "I'll see to it", message_id="m5b", sender="agent"),
            by(6, " "),
        ],
    )
    assert ends(shop) == {
        "m1": Reason.REVOKED,
        "m2": Reason.REVOKED,
        "m3": None,
        "m4": Reason.TAKEN_OVER,
        "m5": Reason.TAKEN_OVER,
        "m5b": Reason.AGENT_MESSAGE,
        "m6": Reason.EMPTY,
    }


def test_a_message_joins_its_open_review_and_its_neighbours_do_not(shop: Services) -> None:
    with shop.database.write() as tx:
        row = conversations.open_and_lock(tx, "generic", "shop", "c1")
        nothing: dict[str, Any] = dict.fromkeys(("draft_id", "decision_id", "kind"))
        review = reviews.open_or_join(tx, row["id"], reasons=[Reason.NO_ANSWER], suggestion="", due_s=60, **nothing)
    outcomes = together(shop, [by(1), by(2)])
    assert [row["review_id"] for row in rows(shop, tables.messages)] == [review, None]
    assert [sorted(outcome.bells) for outcome in outcomes] == [[], ["answer"]]


def test_what_was_forgotten_stays_so_and_its_neighbours_are_stored(shop: Services) -> None:
    for n in (1, 2):
        deliver(shop, by(n, delivery_id=f"d{n}"))
    with shop.database.write() as tx:
        for table, name in ((tables.events, "d1"), (tables.messages, "m2"), (tables.conversations, "c2")):
            hashed = hashed_id("generic", "shop", name)
            tx.execute(update(table).where(table.c.external_id == name).values(external_id=hashed))
    again = by(2, customer={"id": "u2-new"}, delivery_id="d9")
    outcomes = together(shop, [by(1, message_id="m1-new", delivery_id="d1"), by(3), again])
    assert [outcome.duplicate for outcome in outcomes] == [True, False, False]
    assert set(ends(shop)) == {"m1", hashed_id("generic", "shop", "m2"), "m3"}
    assert {row["external_id"] for row in rows(shop, tables.customers)} == {"u1", "u2", "u3"}
    names = {row["external_id"] for row in rows(shop, tables.conversations)}
    assert names == {"c1", hashed_id("generic", "shop", "c2"), "c3"}


def test_a_conversation_that_was_taken_over_before_it_was_forgotten_stays_taken(shop: Services) -> None:
    deliver(shop, happens("conversation.taken_by_human", conversation_id="c1"))
    with shop.database.write() as tx:
        hashed = hashed_id("generic", "shop", "c1")
        tx.execute(update(tables.conversations).values(external_id=hashed))
    together(shop, [by(1), by(2)])
    assert ends(shop) == {"m1": Reason.TAKEN_OVER, "m2": None}


def test_accounts_that_share_a_commit_share_nothing_else(shop: Services) -> None:
    request = by(1, delivery_id="d1")
    outcomes = together(shop, [request, by(2), request, request], ["shop", "shop", "other", "shop"])
    assert [outcome.duplicate for outcome in outcomes] == [False, False, False, True]
    stored = {(row["account"], row["external_id"]) for row in rows(shop, tables.messages)}
    assert stored == {("shop", "m1"), ("shop", "m2"), ("other", "m1")}


def test_big_bodies_are_not_put_into_one_statement(shop: Services) -> None:
    big = [by(n, "x" * 10_000, attachments=[{"url": "data:," + "y" * BIG}]) for n in (1, 2)]
    seen = statements(shop, lambda: together(shop, big))
    assert sum(statement.startswith("INSERT INTO events") for statement in seen) == 2
    assert ends(shop) == {"m1": None, "m2": None}
