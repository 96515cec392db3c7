"""Ownership, the whole way: no reply, outbox row, review card or log line for one customer holds another's order."""

import io
import itertools
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cs_bot import fetch, observe, pipeline, review
from cs_bot.bootstrap import Services
from cs_bot.receive import receive
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import orders
from cs_bot.testing import RecordingChannel, ScriptedVision, shop_event, shop_message, shop_request
from tests.desk import a_picture
from tests.makers import order_in
from tests.readings import screen
from tests.web import services_on

NUMBERS = itertools.count(1)


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    services = services_on(sqlite_database, tmp_path, turns={"quiet_s": 0.0})
    services.channels["generic", "shop"] = RecordingChannel()
    yield services
    services.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=st.sampled_from(["这个订单到哪了？", "Where is my order?", "发货了吗 {number}", "帮我退款 {number}", ""]),
    right_amount=st.booleans(),
    shared_phone=st.booleans(),
    shared_email=st.booleans(),
    with_picture=st.booleans(),
)
def test_nothing_of_anothers_order_comes_out_anywhere(
    shop: Services, question: str, right_amount: bool, shared_phone: bool, shared_email: bool, with_picture: bool
) -> None:
    n = next(NUMBERS)
    mark, number = f"secret{n}x", f"40213388{n:04d}"
    with shop.database.write() as tx:
        owner = {"customer_id": f"owner-{n}", "phone": "13800138000", "email": "family@example.com"}
        words = {"carrier": mark, "tracking_no": f"T{mark}", "lines": [{"sku": f"S{mark}", "name": f"N{mark}"}]}
        orders.upsert(tx, "generic", "shop", order_in(number, amount="89.00", status="shipped", **owner, **words))
    shop._vision = ScriptedVision(default=screen(order_id=number, amount="89.00" if right_amount else "12.00"))
    asking = {"id": f"asking-{n}"}
    asking |= {"phone": "13800138000"} if shared_phone else {}
    asking |= {"email": "family@example.com"} if shared_email else {}
    logged = io.StringIO()
    observe.log_to(logged, "DEBUG")
    try:
        _write(shop, n, question.format(number=number) or "?", asking, with_picture)
        _work_off(shop)
    finally:
        logging.getLogger().handlers.clear()
    told = {"log": logged.getvalue(), **_everything(shop, n)}
    assert {where for where, text in told.items() if mark in text} == set()
    assert number not in told["log"]
    assert told["replies"] == "[]"


def _write(shop: Services, n: int, text: str, customer: dict[str, str], with_picture: bool) -> None:
    attachments = [{"url": a_picture()}] if with_picture else []
    message = shop_message(
        text, conversation_id=f"c{n}", message_id=f"m{n}", customer=customer, attachments=attachments
    )
    receive(
        shop_request(shop_event("message.created", message)),
        channel="generic",
        account="shop",
        channels=shop.channels,
        database=shop.database,
        ring=shop.ring,
        settings=shop.settings,
    )


def _work_off(shop: Services) -> None:
    while fetch.fetch_next(shop.database, media=shop.media, settings=shop.settings, ring=shop.ring):
        pass
    while pipeline.answer_due(shop.parts(), ring=shop.ring):
        pass
    parts = {"database": shop.database, "channels": shop.channels, "settings": shop.settings}
    while pipeline.deliver_due(**parts, policy=shop.policy(), ring=shop.ring):
        pass


def _everything(shop: Services, n: int) -> dict[str, str]:
    with shop.database.read() as tx:
        row = tx.row(select(tables.conversations).where(tables.conversations.c.external_id == f"c{n}"))
        assert row is not None
        sent = tx.rows(select(tables.outbound).where(tables.outbound.c.conversation_id == row["id"]))
        held = tx.rows(select(tables.reviews.c.id).where(tables.reviews.c.conversation_id == row["id"]))
    cards = [review.get(shop.database, found["id"]).model_dump_json() for found in held]
    assert len(held) + len(sent) == 1
    return {
        "replies": json.dumps([r["text"] for r in sent]),
        "outbox": str([dict(r) for r in sent]),
        "cards": str(cards),
    }
