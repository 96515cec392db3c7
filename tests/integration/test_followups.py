"""Words about a picture sent before, the whole way: from the store into the reading, and never into a proof."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_bot import pipeline, review
from cs_bot.bootstrap import Services
from cs_bot.records import Kind, Look
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import orders
from cs_bot.testing import RecordingChannel, ScriptedVision
from tests.desk import a_picture, say
from tests.makers import order_in
from tests.readings import look, screen
from tests.web import add_agent, services_on

NUMBER = "4021338819"


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    services = services_on(sqlite_database, tmp_path, turns={"quiet_s": 0.0})
    services.channels["generic", "shop"] = RecordingChannel()
    yield services
    services.close()


def reading_after(shop: Services, seen: Look, text: str, *, by: str = "u1", then_s: float = 5.0) -> dict[str, Any]:
    """The second turn's reading: a picture was answered, then words came."""
    shop._vision = ScriptedVision(default=seen)
    say(shop, "你好，看看这个", attachments=[{"url": a_picture()}])
    assert pipeline.answer_due(shop.parts(), ring=shop.ring)
    agent_id, _ = add_agent(shop.database)
    for card in review.list_open(shop.database):
        taken = review.claim(
            shop.database, card.review_id, agent_id=agent_id, version=card.version, rules=shop.settings.review
        )
        review.dismiss(shop.database, card.review_id, agent_id=agent_id, version=taken.version, reason="test")
    shop.database.shift(then_s)
    say(shop, text, customer={"id": by})
    assert pipeline.answer_due(shop.parts(), ring=shop.ring)
    with shop.database.read() as tx:
        [row] = tx.rows(select(tables.drafts).order_by(tables.drafts.c.id.desc()).limit(1))
        found: dict[str, Any] = {**row["reading"], "draft": row["draft"], "facts": row["facts"]}
        return found


def outbound(shop: Services) -> list[str]:
    with shop.database.read() as tx:
        return [row["text"] for row in tx.rows(select(tables.outbound).where(tables.outbound.c.kind == "reply"))]


def test_a_question_without_a_picture_takes_up_the_picture_before_it(shop: Services) -> None:
    shown = look(Kind.PRODUCT)
    reading = reading_after(shop, shown, "有黑色吗")
    assert (reading["kind"], reading["notes"], reading["wanted"]) == ("text", ["earlier"], {"colour": "black"})
    assert [one["kinds"] for one in reading["looks"]] == [{"product": 1.0}]


def test_somebody_elses_picture_in_the_conversation_is_not_taken_up(shop: Services) -> None:
    assert reading_after(shop, look(Kind.PRODUCT), "有黑色吗", by="u2")["looks"] == []


def test_a_picture_of_long_ago_is_not_taken_up(shop: Services) -> None:
    late = shop.settings.turns.follow_up_s + 60
    assert reading_after(shop, look(Kind.PRODUCT), "有黑色吗", then_s=late)["looks"] == []


def test_an_order_page_sent_before_makes_a_draft_that_waits_for_a_person(shop: Services) -> None:
    with shop.database.write() as tx:
        orders.upsert(tx, "generic", "shop", order_in(NUMBER, customer_id="u1", amount="129.90"))
    page = screen(order_id=NUMBER, amount="129.90")
    reading = reading_after(shop, page, "那什么时候能到？")
    assert "earlier_picture" in reading["reasons"]
    assert reading["facts"]["order"]["order_id"] == NUMBER
    with shop.database.read() as tx:
        [held] = tx.rows(select(tables.reviews).where(tables.reviews.c.state == "open"))
    assert "earlier_picture" in held["reasons"]
    assert len(outbound(shop)) <= 1  # the first turn's own reply, if it was proven


def test_an_order_page_sent_before_tells_nothing_of_somebody_elses_order(shop: Services) -> None:
    with shop.database.write() as tx:
        orders.upsert(tx, "generic", "shop", order_in(NUMBER, customer_id="owner", amount="129.90"))
    reading = reading_after(shop, screen(order_id=NUMBER, amount="129.90"), "那什么时候能到？")
    assert reading["facts"]["order"] is None
    assert NUMBER not in reading["draft"]["text"]
    assert outbound(shop) == []
