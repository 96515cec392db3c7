"""The cache in the whole flow: records decide what is said, whatever was kept; a share of the hits is checked later."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from cs_bot import pipeline
from cs_bot.bootstrap import Services, build
from cs_bot.cache import LookCache
from cs_bot.errors import EngineError
from cs_bot.records import Kind, Look, OrderStatus
from cs_bot.settings import Settings
from cs_bot.store import tables
from cs_bot.store.database import Database, Row
from cs_bot.store.queries import cache_checks, deletions, orders
from cs_bot.testing import RecordingChannel, ScriptedVision, a_look
from cs_bot.web.metrics import exposition
from tests.commands import Run
from tests.desk import a_picture, say
from tests.makers import DAY, order_in
from tests.readings import screen
from tests.services import RedisServer
from tests.web import settings_for, upkeep_round

NUMBER = "4021338819"
PRODUCT = a_look(kind=Kind.PRODUCT, lines=("夏季新款",), seconds=1.5)


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path, redis_server: RedisServer) -> Iterator[Services]:
    """Due at once, on a real Redis that has time to answer; every hit is checked, at once."""
    cache = {"answer_s": 5.0, "recheck_share": 1.0, "recheck_after_s": 0.0}
    settings = settings_for(tmp_path, turns={"quiet_s": 0.0}, redis_url=redis_server.url, cache=cache)
    services = build(settings, database=sqlite_database, ring=lambda queue: None)
    services.channels["generic", "shop"] = RecordingChannel()
    yield services
    services.close()


def with_engine(shop: Services, look: Look | EngineError, **versions: str) -> ScriptedVision:
    engine = ScriptedVision(default=look)
    for name, value in versions.items():
        setattr(engine, name, value)
    shop._vision = engine
    return engine


def post(
    shop: Services, conversation: str, who: str = "c1", text: str = "这个订单到哪了？", colour: str = "teal"
) -> None:
    data = {"conversation_id": conversation, "customer": {"id": who}, "attachments": [{"url": a_picture(colour)}]}
    say(shop, text, **data)
    while pipeline.answer_due(shop.parts(), ring=shop.ring):
        pass
    sending = {"database": shop.database, "channels": shop.channels, "settings": shop.settings}
    while pipeline.deliver_due(**sending, policy=shop.policy(), ring=shop.ring):
        pass


def replies(shop: Services) -> list[str]:
    channel: Any = shop.channels["generic", "shop"]
    return [outbound.text for outbound in channel.shown]


def record(shop: Services, **values: Any) -> None:
    with shop.database.write() as tx:
        orders.upsert(tx, "generic", "shop", order_in(NUMBER, **values))


def rows(shop: Services) -> list[Row]:
    with shop.database.read() as tx:
        return list(tx.rows(select(tables.cache_checks).order_by(tables.cache_checks.c.id)))


def test_a_kept_look_never_keeps_a_status(shop: Services) -> None:
    page = screen(order_id=NUMBER, amount="129.90").model_copy(update={"engine": "scripted", "prompt_version": "-"})
    engine = with_engine(shop, page)
    record(shop, status="paid")
    post(shop, "c1")
    record(shop, status="shipped", carrier="顺丰", tracking_no="SF1", shipped_at=DAY, updated_at=DAY.replace(day=2))
    post(shop, "c2")
    assert len(engine.seen) == 1  # the second picture was not looked at again
    first, second = replies(shop)
    assert first != second
    assert "顺丰" in second
    assert "顺丰" not in first
    record(shop, status="shipped", carrier="中通", tracking_no="ZT1", shipped_at=DAY, updated_at=DAY.replace(day=3))
    post(shop, "c3")
    assert "中通" in replies(shop)[2]
    assert "顺丰" not in replies(shop)[2]


def test_an_order_page_that_another_customer_posts_too_tells_them_nothing(shop: Services) -> None:
    page = screen(order_id=NUMBER, amount="129.90").model_copy(update={"engine": "scripted", "prompt_version": "-"})
    engine = with_engine(shop, page)
    record(shop, status=OrderStatus.SHIPPED, carrier="顺丰", tracking_no="SF1", shipped_at=DAY)
    post(shop, "c1", "c1")
    post(shop, "c2", "somebody-else")
    assert len(engine.seen) == 2
    assert len(replies(shop)) == 1


def test_a_hit_that_comes_out_the_same_is_counted_and_forgotten(shop: Services) -> None:
    engine = with_engine(shop, PRODUCT)
    post(shop, "c1")
    assert not pipeline.check_due(shop.parts())  # no hit yet
    post(shop, "c2", "c2")
    [row] = rows(shop)
    assert (row["result"], row["customer_id"], len(row["keys"])) == (None, None, 1)
    assert len(engine.seen) == 1
    assert pipeline.check_due(shop.parts())
    assert len(engine.seen) == 2
    [row] = rows(shop)
    assert (row["result"], row["look"], row["differs_in"], row["due_at"]) == ("same", None, None, None)
    assert not pipeline.check_due(shop.parts())
    assert b'csbot_cache_checks{result="same"} 1.0' in exposition(shop.database)


def test_a_hit_that_comes_out_differently_is_counted_and_its_keys_are_deleted(shop: Services) -> None:
    page = a_look(kind=Kind.ORDER, lines=(f"订单编号 {NUMBER}",))
    with_engine(shop, page)
    post(shop, "c1")
    post(shop, "c2")
    [row] = rows(shop)
    assert row["customer_id"] is not None
    engine = with_engine(shop, PRODUCT)  # the same version says something else
    assert pipeline.check_due(shop.parts())
    [row] = rows(shop)
    assert (row["result"], row["differs_in"]) == ("differs", ["kind"])
    assert (row["look"], row["customer_id"], row["keys"]) == (None, None, [])
    post(shop, "c3")
    assert len(engine.seen) == 2  # the check, and the third picture
    assert b'csbot_cache_checks{result="differs"} 1.0' in exposition(shop.database)


def test_a_hit_of_yesterdays_engine_says_nothing(shop: Services) -> None:
    with_engine(shop, PRODUCT)
    post(shop, "c1")
    post(shop, "c2")
    engine = with_engine(shop, PRODUCT, version="2")
    assert pipeline.check_due(shop.parts())
    assert (engine.seen, rows(shop)[0]["result"]) == ([], "outdated")


def test_an_engine_that_fails_is_tried_three_times(shop: Services) -> None:
    with_engine(shop, PRODUCT)
    post(shop, "c1")
    post(shop, "c2")
    engine = with_engine(shop, EngineError("no"))
    for _ in range(6):
        pipeline.check_due(shop.parts())
        shop.database.shift(200)
    assert (len(engine.seen), rows(shop)[0]["result"]) == (3, "failed")


def test_a_check_that_a_killed_worker_had_comes_back_and_two_workers_never_do_the_same(shop: Services) -> None:
    with_engine(shop, PRODUCT)
    post(shop, "c1")
    post(shop, "c2")
    with shop.database.write() as tx:
        assert cache_checks.claim(tx, lease_s=120) is not None
        assert cache_checks.claim(tx, lease_s=120) is None
    assert not pipeline.check_due(shop.parts())
    shop.database.shift(121)
    assert pipeline.check_due(shop.parts())
    assert rows(shop)[0]["result"] == "same"


def test_who_keeps_the_worker_hears_of_a_checks_progress_too(shop: Services) -> None:
    with_engine(shop, PRODUCT)
    post(shop, "c1")
    post(shop, "c2")
    told: list[int] = []
    assert pipeline.check_due(replace(shop.parts(), progress=lambda: told.append(1)))
    assert told == [1]


def test_upkeep_rings_for_a_check_that_is_due(shop: Services) -> None:
    with_engine(shop, PRODUCT)
    post(shop, "c1")
    post(shop, "c2")
    assert upkeep_round(shop) == ["answer"]
    pipeline.check_due(shop.parts())
    assert upkeep_round(shop) == []


def test_deleting_a_customer_takes_their_waiting_checks_along(shop: Services) -> None:
    with_engine(shop, a_look(kind=Kind.ORDER, lines=(f"订单编号 {NUMBER}",)))
    post(shop, "c1")
    post(shop, "c2")
    [row] = rows(shop)
    with shop.database.write() as tx:
        deletions.drop_cache_checks(tx, row["customer_id"] + 1)
    assert len(rows(shop)) == 1
    with shop.database.write() as tx:
        deletions.drop_cache_checks(tx, row["customer_id"])
    assert rows(shop) == []


def test_services_without_redis_or_switched_off_have_no_cache(sqlite_database: Database, tmp_path: Path) -> None:
    for settings, redis in (
        (settings_for(tmp_path), {"redis": None}),
        (settings_for(tmp_path, cache={"enabled": False}), {}),
    ):
        services = build(settings, database=sqlite_database, **redis)
        assert (services.looks, services.parts().looks, services.words) == (None, None, None)
        services.redis and services.redis.close()
    whole = build(settings_for(tmp_path), database=sqlite_database)
    assert isinstance(whole.parts().looks, LookCache)
    assert whole.parts().words is not None
    whole.close()


def test_a_waiting_turn_waits_no_longer_than_half_its_lease() -> None:
    services = build(Settings(turns={"lease_s": 4.0}, cache={"wait_s": 60.0}))
    assert services.looks is not None
    assert services.looks._rules.wait_s == 2.0
    services.close()


@pytest.mark.usefixtures("with_account")
def test_stats_and_purge_on_the_command_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, shop: Services, redis_server: RedisServer, tmp_path: Path
) -> None:
    monkeypatch.setenv("CSBOT_REDIS_URL", redis_server.url)
    assert "nothing checked yet" in run("cache", "stats").out
    with_engine(shop, PRODUCT)
    post(shop, "c1")
    post(shop, "c2")
    pipeline.check_due(shop.parts())
    shown = run("cache", "stats").out
    assert {tuple(line.split()) for line in shown.splitlines()} >= {
        ("hit", "1", "0"),
        ("miss", "1", "0"),
        ("seconds", "saved", "1.5", "0.0"),
        ("kept", "now", "1", "0"),
    }
    assert "false hits: 0 of 1" in shown
    with shop.database.read() as tx:
        sha256 = tx.value(select(tables.pictures.c.sha256))
    assert run("cache", "purge", "--picture", "0" * 64).out == "0 keys deleted\n"
    assert run("cache", "purge", "--picture", sha256).out == "1 keys deleted\n"
    post(shop, "c3")
    file = tmp_path / "copy.png"
    file.write_bytes(shop.media.read(sha256))  # the same pixels in other bytes
    assert run("cache", "purge", "--picture", str(file)).out == "1 keys deleted\n"
    post(shop, "c4")
    assert run("cache", "purge", "--all").out == "1 keys deleted\n"


@pytest.mark.usefixtures("with_account")
def test_purge_without_saying_what_and_without_redis_is_one_clear_line(run: Run) -> None:
    for wrong in ((), ("--all", "--picture", "x")):
        done = run("cache", "purge", *wrong)
        assert (done.code, done.err.count("\n")) == (2, 1)
    done = run("cache", "purge", "--picture", "nowhere.jpg")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "nowhere.jpg" in done.err
    for command in (("stats",), ("purge", "--all")):
        done = run("cache", *command)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "CSBOT_REDIS_URL" in done.err


def test_every_key_on_a_real_redis_has_a_lifetime(shop: Services, redis_server: RedisServer) -> None:
    with_engine(shop, PRODUCT)
    for n, colour in enumerate(("teal", "teal", "red", "blue")):
        post(shop, f"c{n}", f"c{n}", colour=colour)
    redis = Redis.from_url(redis_server.url)
    keys = list(redis.scan_iter())
    assert len([key for key in keys if b":look:" in key]) == 3
    assert [key for key in keys if redis.pttl(key) <= 0] == []
    redis.close()
