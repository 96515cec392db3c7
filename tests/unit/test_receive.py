"""Whatever a platform delivers is kept before it is answered, once, and does what it says."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from cs_bot.bootstrap import Services
from cs_bot.channels.base import RawRequest
from cs_bot.errors import BadSignature, NotJson, StoreUnavailable
from cs_bot.receive import Received, receive
from cs_bot.records import Reason
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.testing import shop_event, shop_message, shop_request
from tests.desk import a_picture
from tests.web import services_on

DAY = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    services = services_on(sqlite_database, tmp_path)
    yield services
    services.close()


def deliver(shop: Services, request: RawRequest, account: str = "shop", channel: str = "generic") -> Received:
    return receive(
        request,
        channel=channel,
        account=account,
        channels=shop.channels,
        database=shop.database,
        ring=shop.ring,
        settings=shop.settings,
    )


def event(shop: Services, kind: str, delivery_id: str | None = None, **data: Any) -> Received:
    return deliver(shop, shop_request(shop_event(kind, data), delivery_id=delivery_id))


def message(shop: Services, text: str = "where is my order?", **data: Any) -> Received:
    return event(shop, "message.created", **shop_message(text, **data))


def rows(shop: Services, table: Table) -> list[dict[str, Any]]:
    with shop.database.read() as tx:
        return [dict(row) for row in tx.rows(select(table).order_by(*table.primary_key.columns))]


def only(shop: Services, table: Table) -> dict[str, Any]:
    [row] = rows(shop, table)
    return row


def rung(shop: Services) -> list[str]:
    return shop.rung  # type: ignore[attr-defined,no-any-return]


def an_order(**values: Any) -> dict[str, Any]:
    given = {"order_id": "A-1", "customer_id": "u1", "status": "paid", "amount": "10.00", "currency": "CNY"}
    return {**given, "ordered_at": DAY.isoformat(), "updated_at": DAY.isoformat(), **values}


def test_a_message_is_kept_raw_and_parsed_and_the_answering_worker_is_woken(shop: Services) -> None:
    request = shop_request(shop_event("message.created", shop_message("where is my order?", message_id="m1")))
    received = deliver(shop, request)
    assert (received.status, received.duplicate, received.problem) == (200, False, None)
    kept = only(shop, tables.events)
    assert (kept["body"], kept["state"], kept["type"]) == (request.body, "parsed", "message.created")
    stored = only(shop, tables.messages)
    assert (stored["external_id"], stored["text"], stored["end"]) == ("m1", "where is my order?", None)
    assert stored["event_id"] == kept["id"]
    assert only(shop, tables.conversations)["due_at"] is not None
    assert only(shop, tables.customers)["external_id"] == "u1"
    assert rung(shop) == ["answer"]


def test_a_message_with_a_picture_wakes_the_fetching_worker_too(shop: Services) -> None:
    message(shop, attachments=[{"url": a_picture()}, {"url": "https://pictures.example/2.png"}])
    assert [use["position"] for use in rows(shop, tables.picture_uses)] == [0, 1]
    assert rung(shop) == ["answer", "fetch"]


def test_a_message_without_words_and_pictures_ends_as_empty(shop: Services) -> None:
    message(shop, "  \n")
    stored = only(shop, tables.messages)
    assert (stored["end"], stored["end_reason"]) == ("ignored", Reason.EMPTY)
    assert rung(shop) == []


def test_bells_ring_only_after_the_commit(shop: Services) -> None:
    seen: list[int] = []
    shop.ring = lambda _queue: seen.append(len(rows(shop, tables.messages)))
    message(shop)
    assert seen == [1]


def test_the_same_delivery_again_is_a_duplicate_and_rings_nothing(shop: Services) -> None:
    request = shop_request(shop_event("message.created", shop_message(message_id="m1")), delivery_id="d1")
    assert not deliver(shop, request).duplicate
    rung(shop).clear()
    assert deliver(shop, request).duplicate
    assert rung(shop) == []
    assert only(shop, tables.events)["conflicts"] == 0
    assert only(shop, tables.messages)["conflicts"] == 0


def test_the_same_message_in_another_delivery_is_stored_once(shop: Services) -> None:
    message(shop, "one", message_id="m1")
    message(shop, "one", message_id="m1")
    assert len(rows(shop, tables.events)) == 2
    assert only(shop, tables.messages)["conflicts"] == 0


def test_the_same_delivery_id_with_another_body_keeps_the_first_and_is_flagged(shop: Services) -> None:
    deliver(shop, shop_request(shop_event("message.created", shop_message("first", message_id="m1")), delivery_id="d"))
    again = shop_request(shop_event("message.created", shop_message("second", message_id="m2")), delivery_id="d")
    assert deliver(shop, again).duplicate
    assert only(shop, tables.events)["conflicts"] == 1
    assert only(shop, tables.messages)["text"] == "first"


def test_the_same_message_id_with_another_text_keeps_the_first_and_is_flagged(shop: Services) -> None:
    message(shop, "first", message_id="m1")
    message(shop, "second", message_id="m1")
    stored = only(shop, tables.messages)
    assert (stored["text"], stored["conflicts"]) == ("first", 1)


def test_two_accounts_may_use_the_same_ids(shop: Services) -> None:
    shop.channels["generic", "other"] = shop.channels["generic", "shop"]
    request = shop_request(shop_event("message.created", shop_message(message_id="m1")), delivery_id="d")
    assert not deliver(shop, request).duplicate
    assert not deliver(shop, request, account="other").duplicate
    assert {row["account"] for row in rows(shop, tables.messages)} == {"shop", "other"}


@pytest.mark.parametrize("body", [b"hello", b"", b"{", b"\xff\xfe", b'{"a": NaN}'])
def test_a_signed_body_that_is_no_json_is_kept_and_refused(shop: Services, body: bytes) -> None:
    with pytest.raises(NotJson):
        deliver(shop, shop_request(body))
    kept = only(shop, tables.events)
    assert (kept["body"], kept["state"]) == (body, "not_json")
    assert rung(shop) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (shop_event("message.edited", {"text": "private words"}), "unknown type"),
        (shop_event("message.created", {"text": "private words"}), "missing"),
        (shop_event("order.upserted", {"order_id": "A-1", "status": "private words"}), "status"),
        ({"hello": "private words"}, "type"),
    ],
)
def test_a_signed_event_that_nobody_understands_is_kept_and_accepted(
    shop: Services, body: dict[str, Any], problem: str
) -> None:
    received = deliver(shop, shop_request(body))
    assert received.status == 200
    kept = only(shop, tables.events)
    assert kept["state"] == "unparsed"
    assert json.loads(kept["body"]) == body
    assert problem in kept["problem"]
    assert "private" not in kept["problem"]
    assert rows(shop, tables.messages) == rows(shop, tables.orders) == []


@pytest.mark.parametrize(("channel", "account"), [("generic", "nobody"), ("unheard-of", "shop"), ("generic", "SHOP")])
def test_an_unknown_account_is_a_bad_signature_and_leaves_nothing(shop: Services, channel: str, account: str) -> None:
    with pytest.raises(BadSignature):
        deliver(shop, shop_request(shop_event("message.created", shop_message())), account, channel)
    assert rows(shop, tables.events) == []


def test_a_forged_or_old_signature_leaves_nothing(shop: Services) -> None:
    body = shop_event("message.created", shop_message())
    forged = shop_request(body, secret="whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
    honest = shop_request(body)
    changed = RawRequest(honest.headers, honest.body.replace(b"u1", b"u2"), honest.received_at)
    old = RawRequest(honest.headers, honest.body, honest.received_at + timedelta(seconds=301))
    for request in (forged, changed, old):
        with pytest.raises(BadSignature):
            deliver(shop, request)
    assert rows(shop, tables.events) == []


def test_an_agents_own_message_takes_the_conversation_over(shop: Services) -> None:
    message(shop, "where is my order?", message_id="m1")
    rung(shop).clear()
    message(shop, "I will look into it", message_id="m2", sender="agent")
    assert only(shop, tables.conversations)["owner"] == "outside"
    ends = {row["external_id"]: (row["end"], row["end_reason"]) for row in rows(shop, tables.messages)}
    assert ends == {"m1": ("handed_over", Reason.TAKEN_OVER), "m2": ("ignored", Reason.AGENT_MESSAGE)}
    assert rung(shop) == []
    message(shop, "thank you", message_id="m3")
    assert rows(shop, tables.messages)[-1]["end"] == "handed_over"


def test_the_bots_own_echo_is_ignored_and_takes_nothing_over(shop: Services) -> None:
    message(shop, "where is my order?", message_id="m1")
    message(shop, "it is on its way", message_id="m2", sender="bot")
    conversation = only(shop, tables.conversations)
    assert (conversation["owner"], conversation["due_at"] is not None) == ("bot", True)
    echo = rows(shop, tables.messages)[-1]
    assert (echo["end"], echo["end_reason"]) == ("ignored", Reason.OWN_ECHO)


def test_a_takeover_silences_the_bot_until_the_release(shop: Services) -> None:
    message(shop, message_id="m1")
    later = datetime.now(UTC)
    event(shop, "conversation.taken_by_human", conversation_id="c1", at=later.isoformat())
    assert only(shop, tables.messages)["end"] == "handed_over"
    assert only(shop, tables.conversations)["due_at"] is None
    event(shop, "conversation.released", conversation_id="c1", at=(later + timedelta(seconds=1)).isoformat())
    message(shop, message_id="m2")
    assert [row["end"] for row in rows(shop, tables.messages)] == ["handed_over", None]


def test_a_release_that_is_older_than_the_takeover_changes_nothing(shop: Services) -> None:
    now = datetime.now(UTC)
    event(shop, "conversation.taken_by_human", conversation_id="c1", at=now.isoformat())
    event(shop, "conversation.released", conversation_id="c1", at=(now - timedelta(seconds=5)).isoformat())
    assert only(shop, tables.conversations)["owner"] == "outside"


def test_a_takeover_of_a_conversation_nobody_knows_yet_holds_for_its_first_message(shop: Services) -> None:
    event(shop, "conversation.taken_by_human", conversation_id="c1")
    message(shop)
    assert only(shop, tables.messages)["end"] == "handed_over"


def test_a_revoked_message_ends_so(shop: Services) -> None:
    message(shop, message_id="m1")
    event(shop, "message.revoked", conversation_id="c1", message_id="m1")
    stored = only(shop, tables.messages)
    assert (stored["end"], stored["end_reason"]) == ("revoked", Reason.REVOKED)
    assert stored["revoked_at"] is not None
    assert only(shop, tables.conversations)["due_at"] is None


def test_a_revoke_that_comes_before_its_message_holds_all_the_same(shop: Services) -> None:
    event(shop, "message.revoked", conversation_id="c1", message_id="m1")
    message(shop, message_id="m1", attachments=[{"url": a_picture()}])
    assert only(shop, tables.messages)["end"] == "revoked"
    assert rows(shop, tables.picture_uses) == []
    assert rung(shop) == []


def test_a_revoke_of_one_message_leaves_the_others(shop: Services) -> None:
    message(shop, message_id="m1")
    message(shop, message_id="m2")
    event(shop, "message.revoked", conversation_id="c1", message_id="m1")
    assert [row["end"] for row in rows(shop, tables.messages)] == ["revoked", None]
    assert only(shop, tables.conversations)["due_at"] is not None


def test_an_older_order_never_overwrites_a_newer_one(shop: Services) -> None:
    event(shop, "order.upserted", **an_order(status="shipped", updated_at=(DAY + timedelta(hours=1)).isoformat()))
    event(shop, "order.upserted", **an_order(status="paid", updated_at=DAY.isoformat()))
    assert only(shop, tables.orders)["status"] == "shipped"
    event(shop, "order.upserted", **an_order(status="delivered", updated_at=(DAY + timedelta(hours=2)).isoformat()))
    assert only(shop, tables.orders)["status"] == "delivered"


def test_a_product_is_stored_and_an_older_one_never_overwrites(shop: Services) -> None:
    event(shop, "product.upserted", product_id="p1", title="new", updated_at=(DAY + timedelta(hours=1)).isoformat())
    event(shop, "product.upserted", product_id="p1", title="old", updated_at=DAY.isoformat())
    assert only(shop, tables.products)["body"]["title"] == "new"


def test_a_message_carries_the_time_the_customer_wrote_it(shop: Services) -> None:
    message(shop, message_id="m1", sent_at=DAY.isoformat())
    deliver(shop, shop_request(shop_event("message.created", shop_message(message_id="m2"), now=DAY)))
    assert [row["sent_at"] for row in rows(shop, tables.messages)] == [DAY, DAY]


class AwayDatabase:
    """A database that can't be reached."""

    def write_together(self, _work: object, _item: object) -> None:
        raise StoreUnavailable


def test_a_database_that_is_away_is_said_and_nothing_is_rung(shop: Services) -> None:
    shop.database, database = AwayDatabase(), shop.database  # type: ignore[assignment]
    with pytest.raises(StoreUnavailable):
        message(shop)
    with pytest.raises(StoreUnavailable):  # not even that it was no JSON may be said before it is kept
        deliver(shop, shop_request(b"no json"))
    shop.database = database
    assert rung(shop) == []
