"""Product pictures over a real HTTP host that fails in between: nothing is lost, nothing is done twice."""

import base64
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from sqlalchemy import select

from cs_bot import fetch, pipeline
from cs_bot.bootstrap import Services
from cs_bot.demo.goods import make_products
from cs_bot.demo.goods_art import draw_product, reposted
from cs_bot.knowledge.catalog import indexing
from cs_bot.receive import receive
from cs_bot.records import Kind
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import product_pictures
from cs_bot.testing import ScriptedVision, a_look, shop_event, shop_message, shop_request
from tests.goods import product_in, put
from tests.makers import DAY
from tests.picture_host import Host, hosting
from tests.web import services_on, upkeep_round

PICTURES = 6


def nearby(database: Database, home: Path, **settings: Any) -> Services:
    """A shop that may fetch from loopback."""
    services = services_on(database, home, **settings)
    (account,) = services.settings.accounts
    allowed = account.model_copy(update={"allow_http": True, "allow_private": True})
    services.settings = services.settings.model_copy(update={"accounts": (allowed,)})
    return services


def tell(shop: Services, kind: str, data: Mapping[str, Any]) -> None:
    known = {"channel": "generic", "account": "shop", "channels": shop.channels, "database": shop.database}
    receive(shop_request(shop_event(kind, data)), **known, ring=shop.ring, settings=shop.settings)  # type: ignore[arg-type]


def as_png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def picture(number: int) -> bytes:
    """A small picture, another one for each number."""
    image = Image.new("RGB", (96, 96), (240, 240, 230))
    pen = ImageDraw.Draw(image)
    for place in range(number + 2):
        pen.ellipse((8 * place, 60 - 9 * place, 30 + 8 * place, 88 - 9 * place), fill=(30 * place % 255, 90, 200))
    return as_png(image)


@pytest.fixture
def host() -> Iterator[Host]:
    with hosting({f"/{n}.png": picture(n) for n in range(PICTURES)}) as found:
        yield found


@pytest.fixture
def shop(database: Database, tmp_path: Path, host: Host) -> Iterator[Services]:
    services = nearby(database, tmp_path)
    put(database, [product_in(f"P100{n}", f"杯子{n}", pictures=[f"{host.url}/{n}.png"]) for n in range(PICTURES)])
    yield services
    services.close()


def states(shop: Services) -> dict[str, int]:
    with shop.database.read() as tx:
        return {state: n for state, n in product_pictures.counts(tx).items() if n}


def step(shop: Services) -> indexing.Indexed | None:
    rules = fetch.product_rules(shop.settings)
    return indexing.index_next(shop.database, rules_of=rules, max_attempts=shop.settings.fetch.max_attempts)


def run_out(shop: Services) -> None:
    """Until nothing is left to try, waiting times shifted away."""
    for _ in range(100):
        if step(shop) is None:
            shop.database.shift(10)
            if step(shop) is None:
                return
    raise AssertionError("it goes on for ever")


def test_a_host_that_goes_down_in_between_costs_tries_and_nothing_else(shop: Services, host: Host) -> None:
    for _ in range(2):
        step(shop)
    host.down = True
    for _ in range(PICTURES - 2):
        done = step(shop)
        assert done is not None
        assert (done.state, done.reason) == ("waiting", "127.0.0.1 answered 503")
    assert states(shop) == {"ready": 2, "waiting": 4}
    host.down = False
    run_out(shop)
    assert states(shop) == {"ready": PICTURES}
    assert host.asked["/0.png"] == 1  # what was done is not done again
    assert sum(host.asked.values()) == PICTURES + 4


def test_a_run_that_is_cut_short_goes_on_where_it_stopped(
    shop: Services, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    step(shop)

    def cut(*arguments: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(indexing, "accept_picture", cut)  # Ctrl-C between fetch and store
        with pytest.raises(KeyboardInterrupt):
            step(shop)
    assert states(shop) == {"ready": 1, "waiting": 5}
    shop.database.shift(31)  # the lease of the one in work
    run_out(shop)
    assert states(shop) == {"ready": PICTURES}
    assert sum(host.asked.values()) == PICTURES + 1


def test_what_can_not_be_fetched_is_given_up_with_its_reason_and_tried_again_when_told(
    shop: Services, host: Host
) -> None:
    host.statuses = {"/0.png": [404], "/1.png": [503] * 3, "/2.png": [429, 200]}
    host.files["/3.png"] = b"<html>no picture</html>"
    run_out(shop)
    with shop.database.read() as tx:
        failed = {row["product_id"]: row["reason"] for row in product_pictures.failures(tx)}
    assert failed == {
        "P1000": "127.0.0.1 answered 404",
        "P1001": "127.0.0.1 answered 503",
        "P1003": "not a JPEG, PNG, WebP or GIF picture",
    }
    host.files["/3.png"] = picture(3)
    with shop.database.write() as tx:
        assert product_pictures.again(tx, indexing.FEATURES_VERSION) == 3
    run_out(shop)
    assert states(shop) == {"ready": PICTURES}


def test_pictures_come_only_from_where_the_account_allows(database: Database, tmp_path: Path, host: Host) -> None:
    closed = services_on(database, tmp_path)
    put(database, [product_in("P1", pictures=[f"{host.url}/0.png", "https://169.254.169.254/latest/meta-data"])])
    run_out(closed)
    with database.read() as tx:
        reasons = [row["reason"] for row in product_pictures.failures(tx)]
    assert len(reasons) == 2
    assert "must be https" in reasons[0]
    assert not host.asked
    closed.close()


def test_a_product_webhook_rings_and_the_fetch_worker_indexes_its_pictures(shop: Services, host: Host) -> None:
    run_out(shop)
    event = {"product_id": "NEW", "title": "新杯子", "pictures": [f"{host.url}/1.png"], "updated_at": DAY.isoformat()}
    tell(shop, "product.upserted", event)
    assert shop.rung == ["fetch"]  # type: ignore[attr-defined]
    assert upkeep_round(shop) == ["fetch"]
    assert fetch.seconds_until_due(shop.database) == 0.0
    assert fetch.index_next(shop.database, settings=shop.settings) is True
    assert fetch.index_next(shop.database, settings=shop.settings) is False
    assert fetch.seconds_until_due(shop.database) is None
    assert states(shop) == {"ready": PICTURES + 1}


def test_search_columns_of_an_older_version_are_built_anew(shop: Services) -> None:
    with shop.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE products SET grams = '', grams_version = 0")
        tx.connection.exec_driver_sql("DELETE FROM product_codes")
    with shop.database.read() as tx:
        assert shop.catalog.by_words(tx, "generic", "shop", "杯子3") == ()
    assert indexing.renew_words(shop.database) == PICTURES
    assert indexing.renew_words(shop.database) == 0
    with shop.database.read() as tx:
        assert shop.catalog.by_words(tx, "generic", "shop", "杯子3")[0].product.product_id == "P1003"
        assert shop.catalog.by_words(tx, "generic", "shop", "p-1000")[0].score == 1.0


def test_a_customers_picture_of_a_product_from_a_webhook_is_answered_with_its_price(
    sqlite_database: Database, tmp_path: Path
) -> None:
    goods = {one.key: one for one in make_products(seed=9)}
    shown = draw_product(goods["bag-1"], side=320)
    with hosting(
        {f"/{goods[key].picture}": as_png(draw_product(goods[key], side=320)) for key in ("bag-1", "mug-1")}
    ) as host:
        shop = nearby(sqlite_database, tmp_path, turns={"quiet_s": 0.0})
        shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT))
        for key in ("bag-1", "mug-1"):
            tell(shop, "product.upserted", goods[key].record(f"{host.url}/").model_dump(mode="json"))
        while fetch.index_next(shop.database, settings=shop.settings):
            pass
    inline = "data:image/png;base64," + base64.b64encode(as_png(reposted(shown))).decode()
    tell(shop, "message.created", shop_message("这个还有吗，多少钱？", attachments=[{"url": inline}]))
    while fetch.fetch_next(shop.database, media=shop.media, settings=shop.settings, ring=shop.ring):
        pass
    assert pipeline.answer_due(shop.parts(), ring=shop.ring)
    with shop.database.read() as tx:
        [draft] = tx.rows(select(tables.drafts))
    assert draft["draft"]["route"] == "catalog"
    assert str(goods["bag-1"].price) in draft["draft"]["text"]
    shop.close()
