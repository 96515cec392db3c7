"""Upkeep forgets by age; the ledger, the counts and the knowledge of what came before stay."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from cs_bot import observe, retention, turns
from cs_bot.bootstrap import Services
from cs_bot.settings import RetentionSettings
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import forgetting
from cs_bot.store.queries import retention as retention_rows
from cs_bot.store.queries.retention import RULES
from cs_bot.testing import a_look
from tests import desk
from tests.forgetting import (
    DAY_S,
    PERSONAL,
    PICTURE,
    a_shop,
    answered,
    asked,
    event,
    fetch_all,
    figures,
    files,
    message,
    rows,
    said_anywhere,
    sweep_all,
)


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Services]:
    services = a_shop(database, tmp_path)
    yield services
    services.close()


def test_nothing_young_is_touched(shop: Services) -> None:
    answered(shop)
    before = {name: rows(shop, name) for name in tables.metadata.tables if name != "retention_progress"}
    shop.database.shift(1.9 * DAY_S)
    assert sweep_all(shop) == 0
    assert {name: rows(shop, name) for name in before} == before


def test_raw_bodies_and_pictures_go_first(shop: Services, tmp_path: Path) -> None:
    answered(shop)
    assert len(list(files(tmp_path))) == 1
    shop.database.shift(31 * DAY_S)
    sweep_all(shop)
    [kept] = rows(shop, "events")
    assert (kept["body"], kept["body_sha256"], kept["state"]) == (None, "", "parsed")
    assert kept["external_id"].startswith("sha256:")
    assert rows(shop, "pictures") == []
    assert list(files(tmp_path)) == []
    [use] = rows(shop, "picture_uses")
    assert (use["state"], use["picture_id"]) == ("ready", None)
    assert rows(shop, "messages")[0]["text"] != ""
    assert rows(shop, "changes") == []


def test_after_their_age_no_word_of_a_customer_or_about_one_is_left(shop: Services) -> None:
    answered(shop)
    before = figures(shop)
    assert set(said_anywhere(shop)) >= {"messages", "events", "customers", "outbound", "judgements"}
    shop.database.shift(181 * DAY_S)
    sweep_all(shop)
    assert said_anywhere(shop, "customers", "conversations") == {}
    assert figures(shop) == before
    assert before["unaccounted"] == 0


def test_numbers_that_calibration_needs_stay(shop: Services) -> None:
    answered(shop)
    verdict, decision, draft, look = (rows(shop, name)[0] for name in ("judgements", "decisions", "drafts", "looks"))
    shop.database.shift(181 * DAY_S)
    sweep_all(shop)
    [judged] = rows(shop, "judgements")
    numbers = ("verdict", "distance", "policy_version", "agent_id", "decision_id", "turn_id")
    assert {name: judged[name] for name in numbers} == {name: verdict[name] for name in numbers}
    assert (judged["text"], judged["flags"]) == (None, [])
    [decided] = rows(shop, "decisions")
    assert {**decided["body"], "suggestion": decision["body"]["suggestion"]} == decision["body"]
    [drafted] = rows(shop, "drafts")
    assert drafted["draft"]["route"] == draft["draft"]["route"]
    assert (drafted["draft"]["text"], drafted["draft"]["slots"]) == ("", {})
    assert drafted["facts"]["second_field"] == draft["facts"]["second_field"]
    assert "order" not in drafted["facts"]
    assert drafted["reading"]["kinds"] == draft["reading"]["kinds"]
    assert "question" not in drafted["reading"]
    [seen] = rows(shop, "looks")
    assert seen["body"]["kinds"] == look["body"]["kinds"]
    assert seen["body"]["fields"]["order_id"]["state"] == "confirm"
    assert seen["body"]["fields"]["order_id"]["value"] is None


@pytest.mark.parametrize("days", [31, 181, 740])
def test_a_delivery_or_message_that_comes_again_after_years_is_still_known(shop: Services, days: int) -> None:
    answered(shop)
    shop.database.shift(days * DAY_S)
    sweep_all(shop)
    before = {name: len(rows(shop, name)) for name in ("events", "messages", "customers", "conversations", "turns")}
    again = event(shop, "message.created", message(attachments=PICTURE), "delivery-m-1")
    assert again.duplicate
    assert {name: len(rows(shop, name)) for name in before} == before
    other = event(shop, "message.created", message(attachments=PICTURE), "another-delivery")
    assert not other.duplicate
    assert {name: len(rows(shop, name)) for name in before} == {**before, "events": before["events"] + 1}
    assert other.bells == set()
    assert turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=5) == []
    assert figures(shop)["conflicts"] == 0
    event(shop, "message.revoked", {"conversation_id": "conv-1", "message_id": "m-1"})
    assert rows(shop, "messages")[0]["end"] == "person"
    event(shop, "message.created", message("m-2"), "delivery-m-2")
    assert len(turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=5)) == 1


def test_a_delivery_that_came_again_in_the_very_moment_of_forgetting_stops_nothing(shop: Services) -> None:
    answered(shop)
    shop.database.shift(31 * DAY_S)
    sweep_all(shop)
    with shop.database.write() as tx:  # as if its NOT EXISTS had been asked just before the hash was committed
        twin = {**rows(shop, "events")[0], "external_id": "delivery-m-1", "body": b"{}", "forgotten_at": None}
        tx.execute(tables.events.insert().values(**{k: v for k, v in twin.items() if k != "id"}))
    with shop.database.write() as tx:
        assert forgetting.forget_events(tx, tables.events.c.id > 0) == 1
    names = [row["external_id"] for row in rows(shop, "events")]
    assert names[0].startswith("sha256:")
    assert names[1] == "twin:2"
    assert event(shop, "message.created", message(), "delivery-m-1").duplicate


def test_a_message_that_comes_again_while_it_is_forgotten_is_stored_once(shop: Services) -> None:
    names = [f"m-{n}" for n in range(25)]
    for name in names:
        event(shop, "message.created", message(name), f"first-{name}")
    with shop.database.write() as tx:
        tx.execute(update(tables.messages).values(end="ignored"))
        tx.execute(update(tables.conversations).values(due_at=None, burst_started_at=None))
    [rule] = [rule for rule in RULES if rule.name == "messages"]
    ids = [row["id"] for row in rows(shop, "messages")]
    start = threading.Barrier(2)

    def forget() -> None:
        start.wait()
        left = list(ids)
        while left:  # what an arrival has locked comes again
            with shop.database.write() as tx:
                _, waiting = retention_rows.forget(tx, rule, left[:1])
            left = [*left[1:], *waiting]

    thread = threading.Thread(target=forget)
    thread.start()
    start.wait()
    for turn in range(3):
        for name in names:
            assert event(shop, "message.created", message(name), f"again-{turn}-{name}").bells == set()
    thread.join()
    assert [row["id"] for row in rows(shop, "messages")] == ids
    assert all(row["forgotten_at"] is not None for row in rows(shop, "messages"))
    assert turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=5) == []


def test_what_is_not_over_waits_however_old_it_is(shop: Services, tmp_path: Path) -> None:
    review_id = asked(shop)
    before = rows(shop, "messages"), rows(shop, "drafts"), rows(shop, "looks"), rows(shop, "reviews")
    shop.database.shift(800 * DAY_S)
    sweep_all(shop)
    assert (rows(shop, "messages"), rows(shop, "drafts"), rows(shop, "looks"), rows(shop, "reviews")) == before
    assert rows(shop, "events")[0]["body"] is not None
    assert rows(shop, "customers")[0]["name"] == "张三"
    assert len(list(files(tmp_path))) == 1
    assert figures(shop)["unaccounted"] == 0
    with shop.database.write() as tx:
        tx.execute(update(tables.reviews).where(tables.reviews.c.id == review_id).values(state="closed"))
        tx.execute(update(tables.messages).values(end="dismissed"))
    assert sweep_all(shop) > 0
    assert rows(shop, "messages")[0]["text"] == ""


@pytest.mark.parametrize("state", ["pending", "sending", "unknown"])
def test_an_answer_on_its_way_keeps_its_words_and_its_messages(shop: Services, state: str) -> None:
    answered(shop)
    with shop.database.write() as tx:
        tx.execute(update(tables.outbound).values(state=state))
    shop.database.shift(800 * DAY_S)
    sweep_all(shop)
    assert "文三路" in rows(shop, "outbound")[0]["text"]
    assert rows(shop, "messages")[0]["text"] != ""


def test_a_live_turn_keeps_everything_of_it(shop: Services) -> None:
    event(shop, "message.created", message(), "d")
    [turn] = turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=1)
    with shop.database.write() as tx:
        forgetting_looks = [a_look(sha256="a" * 64, lines=("words",))]
        from cs_bot.store.queries import turns as stored

        stored.add_looks(tx, turn.turn_id, forgetting_looks)
        tx.execute(update(tables.messages).values(end="revoked"))
    shop.database.shift(800 * DAY_S)
    sweep_all(shop)
    assert rows(shop, "looks")[0]["body"]["lines"] == ["words"]
    assert rows(shop, "messages")[0]["text"] != ""


def test_a_picture_that_a_younger_message_shows_stays(shop: Services, tmp_path: Path) -> None:
    answered(shop, "m-1")
    shop.database.shift(25 * DAY_S)
    answered(shop, "m-2")
    shop.database.shift(10 * DAY_S)
    sweep_all(shop)
    assert [use["picture_id"] is None for use in rows(shop, "picture_uses")] == [True, False]
    [picture] = rows(shop, "pictures")
    assert shop.media.read(picture["sha256"])
    shop.database.shift(25 * DAY_S)
    sweep_all(shop)
    assert rows(shop, "pictures") == []
    assert list(files(tmp_path)) == []


def test_the_shops_own_picture_stays_whoever_posted_it(shop: Services, tmp_path: Path) -> None:
    answered(shop)
    [picture] = rows(shop, "pictures")
    mark = {"channel": "generic", "account": "shop"}
    with shop.database.write() as tx:
        times = {"updated_at": tx.now(), "synced_at": tx.now()}
        product = {"product_id": "P-1", "body": {}, "active": True, "grams": "", "grams_version": 1, **times}
        row_id = tx.value(tables.products.insert().values(**mark, **product).returning(tables.products.c.id))
        shown = {"position": 0, "url": "", "skus": [], "state": "ready", "sha256": picture["sha256"]}
        tx.execute(tables.product_pictures.insert().values(product_row_id=row_id, **mark, **shown))
    shop.database.shift(100 * DAY_S)
    sweep_all(shop)
    assert shop.media.read(picture["sha256"])
    with shop.database.write() as tx:
        tx.execute(tables.product_pictures.delete())
    sweep_all(shop)
    assert list(files(tmp_path)) == []


def test_a_picture_that_comes_again_while_its_file_is_removed_has_a_file(shop: Services) -> None:
    answered(shop)
    [picture] = rows(shop, "pictures")
    with shop.database.write() as tx:
        forgetting.let_go_of_pictures(tx, tables.picture_uses.c.id > 0)
    real, removed = shop.media.write, []

    def write(sha256: str, data: bytes) -> None:
        real(sha256, data)
        if not removed:  # the fetch has found the file, and now it goes
            removed.append(retention.files.remove_picture(shop.database, shop.media, picture["id"]))

    shop.media.write = write  # type: ignore[method-assign]
    event(shop, "message.created", message("m-2", attachments=PICTURE))
    fetch_all(shop)
    assert removed == [(picture["sha256"], picture["pixels_sha256"])]
    [again] = rows(shop, "pictures")
    assert again["id"] == rows(shop, "picture_uses")[1]["picture_id"]
    assert shop.media.read(again["sha256"])


def test_a_customer_who_was_silent_for_two_years_is_deleted_with_a_proof(shop: Services) -> None:
    answered(shop)
    shop.database.shift(731 * DAY_S)
    sweep_all(shop)
    assert said_anywhere(shop) == {}
    [proof] = rows(shop, "deletions")
    assert proof["actor"] == "retention"
    assert not any(word in str(proof) for word in PERSONAL)


def test_zero_keeps_for_ever(database: Database, tmp_path: Path) -> None:
    for_ever = {name: 0 for name in RetentionSettings.model_fields if name.endswith("_days")}
    shop = a_shop(database, tmp_path, retention=for_ever)
    answered(shop)
    shop.database.shift(5000 * DAY_S)
    assert sweep_all(shop) == 0
    shop.close()


def test_a_raw_body_never_outlives_what_it_holds() -> None:
    ages = RetentionSettings(events_days=0, messages_days=7, pictures_days=3)
    assert ages.days("events_days") == 3
    assert RetentionSettings(events_days=0, messages_days=0, pictures_days=0).days("events_days") == 0


def test_a_backlog_is_worked_off_in_small_pieces_that_say_how_far_they_came(
    shop: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for n in range(7):
        event(shop, "order.updated", {"order_id": f"A-{n}"}, f"d-{n}")
    with shop.database.write() as tx:
        tx.execute(update(tables.messages).values(end="ignored"))
    shop.database.shift(40 * DAY_S)
    assert retention.sweep(shop.database, media=shop.media, settings=shop.settings, round_s=0) == 0
    assert sweep_all(shop) >= 7
    assert all(row["body"] is None for row in rows(shop, "events"))
    said = [(r.__dict__["kind"], r.__dict__["count"]) for r in caplog.records if r.message == "forgotten"]
    assert ("events", 7) in said
    assert all(set(vars(r)) & {"kind", "count"} <= observe.FIELDS for r in caplog.records)
    assert sweep_all(shop) == 0


def test_pages_and_batches_do_not_change_what_is_forgotten(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = a_shop(database, tmp_path, retention={"batch": 2})
    monkeypatch.setattr(retention.ages, "PAGE", 3)  # many pages need many rows otherwise
    for n in range(5):
        answered(shop, f"m-{n}")
    open_review = asked(shop, "m-open")
    for n in range(5, 8):
        event(shop, "message.created", message(f"m-{n}") | {"conversation_id": f"other-{n}"}, f"delivery-m-{n}")
    with shop.database.write() as tx:
        tx.execute(update(tables.messages).where(tables.messages.c.external_id.like("m-_")).values(end="ignored"))
    shop.database.shift(200 * DAY_S)
    sweep_all(shop)
    left = [row for row in rows(shop, "messages") if row["forgotten_at"] is None]
    assert [row["external_id"] for row in left] == ["m-open"]
    assert open_review == left[0]["review_id"]
    sweep_all(shop)
    progress = {row["rule"]: row for row in rows(shop, "retention_progress")}
    assert progress["messages"]["done_id"] == left[0]["id"] - 1
    shop.close()


def test_every_table_has_a_rule_or_a_reason_to_have_none() -> None:
    ruled = {rule.table.name for rule in RULES} | {"pictures", "picture_uses", "revocations", "customers"}
    kept: dict[str, str] = {
        "turns": "ids, times, kind and route",
        "conversations": "the platform's id until the customer is deleted",
        "accounts_seen": "no person",
        "orders": "the shop's records: they go where they come from",
        "order_lines": "as orders",
        "products": "no person",
        "product_codes": "no person",
        "product_pictures": "no person",
        "faq": "no person",
        "agents": "names of the shop's people: history needs them",
        "workers_seen": "forgotten after an hour",
        "policies": "no person",
        "calibrations": "no person",
        "retention_progress": "no person",
        "deletions": "the proof",
    }
    assert set(tables.metadata.tables) == ruled | set(kept), "a new table: give it a rule, or say here why not"


def test_stored_looks_and_readings_hold_no_phone_and_keep_the_order(shop: Services) -> None:
    from cs_bot.records import FieldState, Item, Kind, ReadField, Reading
    from cs_bot.store.queries import turns as stored

    event(shop, "message.created", message(), "d")
    [turn] = turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=1)
    fields: dict[str, Any] = {
        "order_id": ReadField(value="4021338819123456789", state=FieldState.READ),
        "other": ReadField(value="tel 13800138000", state=FieldState.READ),
    }
    lines = ("收货地址：浙江省杭州市西湖区文三路478号", "张三 138****8000", "订单号 4021338819123456789")
    look = a_look(kind=Kind.ORDER, fields=fields, lines=lines, items=(Item(attributes={"brand": "call 13800138000"}),))
    reading = Reading(kind=Kind.ORDER, kinds={Kind.ORDER: 1.0}, looks=(look,), question="?")
    with shop.database.write() as tx:
        stored.add_looks(tx, turn.turn_id, [look])
        stored.add_draft(tx, turn.turn_id, 1, reading, desk.Facts(), None)
    for body in (rows(shop, "looks")[0]["body"], rows(shop, "drafts")[0]["reading"]["looks"][0]):
        assert body["lines"] == ["收货地址：<address>", "张三 <phone>", "订单号 4021338819123456789"]
        assert body["fields"]["order_id"]["value"] == "4021338819123456789"
        assert body["fields"]["other"]["value"] == "tel <phone>"
        assert body["items"][0]["attributes"] == {"brand": "call <phone>"}
    assert look.lines == lines
