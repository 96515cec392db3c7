"""Deleting a customer leaves nothing of them but a proof, takes nothing of others, and hides nothing that is open."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from cs_bot import retention, review, turns
from cs_bot.bootstrap import Services
from cs_bot.errors import Conflict, NotFound
from cs_bot.schemas import OrderIn
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import orders
from cs_bot.store.queries.hashed import hashed_id
from cs_bot.testing import shop_message
from tests.forgetting import (
    PERSON,
    PERSONAL,
    PICTURE,
    a_shop,
    answered,
    asked,
    deliver_all,
    event,
    figures,
    files,
    message,
    rows,
    said_anywhere,
)

OTHER = {"id": "u2", "name": "Li", "email": "li@example.com"}


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Services]:
    services = a_shop(database, tmp_path)
    yield services
    services.close()


def delete(shop: Services, customer_id: int = 1, **values: Any) -> retention.Deletion:
    return retention.delete(shop.database, customer_id, media=shop.media, actor="mei", **values)


def an_order(shop: Services, order_id: str, **values: Any) -> None:
    given = {"order_id": order_id, "status": "paid", "amount": "10.00", "currency": "CNY"}
    times = {"ordered_at": "2026-05-01T00:00:00Z", "updated_at": "2026-05-01T00:00:00Z"}
    with shop.database.write() as tx:
        orders.upsert(tx, "generic", "shop", OrderIn.model_validate({**given, **times, **values}))


def test_nothing_of_a_customer_is_left_but_the_proof_and_the_counts(shop: Services, tmp_path: Path) -> None:
    answered(shop)
    before = figures(shop)
    assert len(said_anywhere(shop)) > 4
    done = delete(shop)
    assert said_anywhere(shop) == {}
    assert list(files(tmp_path)) == []
    assert rows(shop, "pictures") == []
    assert figures(shop) == before
    [proof] = rows(shop, "deletions")
    assert (proof["actor"], proof["customer_id"]) == ("mei", 1)
    assert proof["external_id_sha256"] == hashed_id("generic", "shop", "u1") == done.external_id_sha256
    assert proof["counts"] == done.counts
    assert {name: done.counts[name] for name in ("messages", "conversations", "pictures removed", "outbound")} == {
        "messages": 1,
        "conversations": 1,
        "pictures removed": 1,
        "outbound": 1,
    }
    assert not any(word in json.dumps(done.counts) for word in PERSONAL)


def test_a_second_run_says_that_it_was_done(shop: Services) -> None:
    answered(shop)
    first, second = delete(shop), delete(shop)
    assert (first.already, second.already) == (False, True)
    assert vars(second) == {**vars(first), "already": True}
    assert len(rows(shop, "deletions")) == 1
    assert retention.find(shop.database, "generic", "shop", "u1") == 1


def test_the_next_message_starts_a_new_record_that_can_be_deleted_too(shop: Services) -> None:
    answered(shop, "m-1")
    delete(shop)
    answered(shop, "m-2")
    assert retention.find(shop.database, "generic", "shop", "u1") == 2
    assert retention.show(shop.database, 2).name == "张三"
    assert rows(shop, "messages")[1]["conversation_id"] == 2
    delete(shop, 2)
    assert said_anywhere(shop) == {}
    answered(shop, "m-3")
    assert delete(shop, 3).counts["messages"] == 1
    assert retention.find(shop.database, "generic", "shop", "u1") == 3


def test_a_message_or_delivery_from_before_brings_nothing_back(shop: Services) -> None:
    answered(shop)
    delete(shop)
    before = {name: rows(shop, name) for name in ("customers", "conversations", "messages", "turns")}
    assert event(shop, "message.created", message(attachments=PICTURE), "delivery-m-1").duplicate
    assert not event(shop, "message.created", message(), "another-delivery").duplicate
    assert {name: rows(shop, name) for name in before} == before


def test_a_conversation_that_a_person_has_taken_over_stays_theirs(shop: Services) -> None:
    answered(shop, "m-1")
    event(shop, "conversation.taken_by_human", {"conversation_id": "conv-1"})
    delete(shop)
    event(shop, "message.created", message("m-2"))
    assert rows(shop, "conversations")[1]["owner"] == "outside"
    assert rows(shop, "messages")[1]["end"] == "handed_over"
    event(shop, "conversation.released", {"conversation_id": "conv-1"})
    event(shop, "message.created", message("m-3"))
    assert rows(shop, "messages")[2]["end"] is None


@pytest.mark.parametrize("open_thing", ["review", "turn", "waiting", "undelivered"])
def test_it_is_refused_while_something_is_not_over(shop: Services, open_thing: str) -> None:
    if open_thing == "undelivered":
        answered(shop)
        with shop.database.write() as tx:
            tx.execute(update(tables.outbound).values(state="unknown"))
    elif open_thing == "review":
        asked(shop)
    else:
        event(shop, "message.created", message())
        if open_thing == "turn":
            turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=1)
    before = rows(shop, "messages"), rows(shop, "customers"), rows(shop, "outbound")
    words = {
        "review": "1 open reviews",
        "turn": "1 live turns",
        "waiting": "1 messages",
        "undelivered": "1 undelivered",
    }
    with pytest.raises(Conflict, match=words[open_thing]):
        delete(shop)
    assert (rows(shop, "messages"), rows(shop, "customers"), rows(shop, "outbound")) == before
    assert rows(shop, "deletions") == []


@pytest.mark.parametrize("open_thing", ["review", "waiting", "pending"])
def test_force_takes_back_what_nobody_answered(shop: Services, open_thing: str) -> None:
    if open_thing == "waiting":
        event(shop, "message.created", message())
    else:
        review_id = asked(shop)
        if open_thing == "pending":
            from tests.web import add_agent

            agent_id, _ = add_agent(shop.database)
            rules = shop.settings.review
            card = review.claim(shop.database, review_id, agent_id=agent_id, version=1, rules=rules)
            review.approve(shop.database, review_id, agent_id=agent_id, version=card.version, rules=rules)
    done = delete(shop, force=True)
    assert done.counts["messages"] == 1
    assert said_anywhere(shop) == {}
    assert rows(shop, "messages")[0]["end"] == "revoked"
    assert figures(shop)["unaccounted"] == 0
    deliver_all(shop)
    assert shop.channels["generic", "shop"].sent == []  # type: ignore[attr-defined]
    assert all(row["state"] == "closed" for row in rows(shop, "reviews"))


def test_even_force_waits_for_a_worker_and_for_a_send_under_way(shop: Services) -> None:
    event(shop, "message.created", message())
    [turn] = turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=1)
    with pytest.raises(Conflict, match="live turns"):
        delete(shop, force=True)
    turns.fail(shop.database, turn, RuntimeError(), settings=shop.settings)
    shop.database.shift(60)
    assert turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=1) == []
    assert delete(shop).counts["messages"] == 1


def test_others_lose_nothing(shop: Services, tmp_path: Path) -> None:
    answered(shop, "m-1")
    answered(shop, "o-1", customer=OTHER, conversation_id="conv-2")
    an_order(shop, "A-1", customer_id="u1", email="zhang@example.com")
    an_order(shop, "A-2", customer_id="u2", email="zhang@example.com")  # names u2: whose mailbox it is does not matter
    an_order(shop, "A-3", phone="+86 138 0013 8000")
    before = [row for row in rows(shop, "messages") if row["customer_id"] == 2]
    delete(shop)
    assert [row for row in rows(shop, "messages") if row["customer_id"] == 2] == before
    assert len(list(files(tmp_path))) == 1
    assert rows(shop, "picture_uses")[1]["picture_id"] is not None
    found = {r["order_id"]: (r["customer_external_id"], r["email"], r["phone"]) for r in rows(shop, "orders")}
    nothing = (None, None, None)
    assert found == {"A-1": nothing, "A-2": ("u2", "zhang@example.com", None), "A-3": nothing}
    assert rows(shop, "outbound")[1]["text"]
    delete(shop, 2)
    assert list(files(tmp_path)) == []


def test_in_a_shared_conversation_only_their_part_goes(shop: Services) -> None:
    answered(shop, "m-1")
    answered(shop, "o-1", customer=OTHER, conversation_id="conv-1")
    delete(shop)
    [conversation] = rows(shop, "conversations")
    assert conversation["external_id"] == "conv-1"
    texts = {row["customer_id"]: row["text"] for row in rows(shop, "messages")}
    assert (texts[1], bool(texts[2])) == ("", True)
    assert [bool(row["text"]) for row in rows(shop, "outbound")] == [False, True]


def test_raw_bodies_of_other_deliveries_that_name_them_are_emptied(shop: Services) -> None:
    answered(shop)
    order = {"status": "paid", "amount": "1", "currency": "CNY", "ordered_at": "2026-05-01T00:00:00Z"}
    order["updated_at"] = order["ordered_at"]
    event(shop, "order.upserted", {"order_id": "A-1", "customer_id": "u1", **order}, "by id")
    event(shop, "order.upserted", {"order_id": "A-2", "email": "ZHANG@example.com", **order}, "by mail")
    event(shop, "order.upserted", {"order_id": "A-3", "phone": "138-0013-8000", **order}, "by phone")
    event(shop, "conversation.released", {"conversation_id": "conv-1"}, "by conversation")
    event(shop, "order.upserted", {"order_id": "A-4", "customer_id": "u12", **order}, "somebody else")
    event(shop, "message.created", shop_message("hi", customer=OTHER, conversation_id="conv-2"), "a message of another")
    with shop.database.write() as tx:
        tx.execute(update(tables.messages).where(tables.messages.c.end.is_(None)).values(end="ignored"))
    done = delete(shop)
    assert done.counts["events"] == 5
    with shop.database.read() as tx:
        left = select(tables.events.c.external_id).where(tables.events.c.body.is_not(None))
        assert {row["external_id"] for row in tx.rows(left)} == {"somebody else", "a message of another"}
    assert event(shop, "conversation.released", {"conversation_id": "conv-1"}, "by conversation").duplicate


def test_a_run_that_broke_off_is_finished_by_the_next(shop: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(shop)
    broken = retention.customers._forget_all

    def breaks(database: Database, rule: Any, customer_id: int) -> int:
        if rule.name == "drafts":
            raise KeyboardInterrupt
        return broken(database, rule, customer_id)

    with monkeypatch.context() as patch:  # the process is killed in the middle
        patch.setattr(retention.customers, "_forget_all", breaks)
        with pytest.raises(KeyboardInterrupt):
            delete(shop)
    assert rows(shop, "deletions") == []
    assert said_anywhere(shop) != {}
    assert not delete(shop).already
    assert said_anywhere(shop) == {}


def test_a_message_that_comes_in_between_stops_it(shop: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(shop)
    real = retention.customers._mentions

    def writes_again(*given: Any) -> int:
        event(shop, "message.created", message("m-2"))
        return real(*given)

    monkeypatch.setattr(retention.customers, "_mentions", writes_again)  # no other way to be between two transactions
    with pytest.raises(Conflict, match="wrote again"):
        delete(shop)
    assert rows(shop, "messages")[1]["text"] != ""
    assert rows(shop, "deletions") == []


def test_an_unknown_customer_is_not_found(shop: Services) -> None:
    with pytest.raises(NotFound, match="no customer 7"):
        delete(shop, 7)
    with pytest.raises(NotFound, match="no such customer on generic/shop"):
        retention.find(shop.database, "generic", "shop", "nobody")


def test_show_says_what_is_there_and_what_is_open(shop: Services) -> None:
    asked(shop)
    shown = retention.show(shop.database, 1)
    assert (shown.external_id, shown.emails, shown.deletion) == (PERSON["id"], (PERSON["email"],), None)
    assert shown.counts == {"conversations": 1, "messages": 1, "pictures": 1, "turns": 1, "reviews": 1}
    assert shown.live == {"messages without an end": 1, "open reviews": 1}
