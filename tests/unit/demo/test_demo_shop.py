"""The committed shop: what it must hold, and that it is what its seed gives."""

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from cs_bot.demo import draw
from cs_bot.demo.goods_art import SHOWN, draw_goods
from cs_bot.demo.shop import (
    ACCOUNT,
    CHANNEL,
    DATA,
    FAQ,
    MANIFEST,
    ORDERS,
    DemoShop,
    load_demo_data,
    load_shop,
    make_shop,
    order_rows,
)
from cs_bot.errors import ConfigError, NotFound, PictureUnreadable
from cs_bot.images import accept_picture
from cs_bot.knowledge import faq
from cs_bot.records import OrderStatus
from cs_bot.schemas import FaqIn, OrderIn
from cs_bot.store.database import Database
from cs_bot.store.queries import orders

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop() -> DemoShop:
    return load_shop()


def rows(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def test_there_are_forty_orders_in_every_status_with_ids_of_their_own() -> None:
    records = [OrderIn.model_validate(row) for row in rows(ORDERS)]
    assert len(records) >= 40
    assert {order.status for order in records} == set(OrderStatus)
    assert len({order.order_id for order in records}) == len(records)
    assert all(order.customer_id or order.email for order in records)
    assert {order.currency for order in records} == {"CNY", "USD", "JPY"}


def test_an_order_was_updated_after_everything_that_happened_to_it() -> None:
    for order in (OrderIn.model_validate(row) for row in rows(ORDERS)):
        times = [order.ordered_at, order.paid_at, order.shipped_at, order.delivered_at]
        happened = [time for time in times if time is not None]
        assert happened == sorted(happened)
        assert order.updated_at > happened[-1]
        assert order.updated_at < NOW


def test_the_amount_of_an_order_is_what_its_lines_shipping_and_discount_give(shop: DemoShop) -> None:
    for order in shop.orders:
        assert order.record().amount == order.subtotal + order.shipping - order.discount
        assert order.total > 0


def test_there_are_twenty_faq_entries_each_in_chinese_and_english() -> None:
    entries = [FaqIn.model_validate(row) for row in rows(FAQ)]
    assert len(entries) >= 20
    assert Counter(entry.language for entry in entries)["zh"] == Counter(entry.language for entry in entries)["en"]
    assert len({(entry.faq_id, entry.language) for entry in entries}) == len(entries)


def test_a_misspelt_status_would_be_noticed() -> None:
    with pytest.raises(ValidationError):
        OrderIn.model_validate(rows(ORDERS)[0] | {"status": "posted"})


def test_customers_have_ids_and_contacts_that_nobody_shares(shop: DemoShop) -> None:
    people = {order.customer.id: order.customer for order in shop.orders}.values()
    for contact in ("email", "phone"):
        assert len({getattr(person, contact) for person in people}) == len(people)


def test_the_committed_data_is_what_its_seed_gives(shop: DemoShop, tmp_path: Path) -> None:
    again = make_shop(shop.seed, tmp_path)
    assert again.orders == shop.orders
    assert again.products == shop.products
    for name in (ORDERS, MANIFEST, FAQ):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_another_seed_gives_other_numbers_for_the_same_stories(shop: DemoShop, tmp_path: Path) -> None:
    second = make_shop(11, tmp_path)
    assert load_shop(tmp_path).orders == second.orders
    assert [order.key for order in second.orders] == [order.key for order in shop.orders]
    assert not {order.order_id for order in second.orders} & {order.order_id for order in shop.orders}
    assert not {order.customer.id for order in second.orders} & {order.customer.id for order in shop.orders}


def test_the_catalog_has_many_products_some_told_apart_by_colour_alone_and_some_that_the_shop_lacks(
    shop: DemoShop,
) -> None:
    listed = [product for product in shop.products if product.listed]
    assert len(listed) >= 30
    assert len({product.product_id for product in shop.products}) == len(shop.products)
    assert len({product.art_seed for product in listed}) == len(listed) - 4
    assert len(shop.products) - len(listed) >= 4
    for product in shop.products:
        assert product.record("https://shop.example/").pictures == (f"https://shop.example/{product.picture}",)


def test_goods_can_be_drawn_without_a_browser_for_any_seed(tmp_path: Path) -> None:
    second = make_shop(11, tmp_path)
    drawn = list(draw_goods(second.products, tmp_path / "pictures"))
    assert {path.name for path in drawn} == {product.picture for product in second.products} | set(SHOWN)
    for path in drawn:
        assert min(accept_picture(path.read_bytes()).width, 480) == 480


def test_promised_shipping_times_count_from_the_moment_of_loading(shop: DemoShop) -> None:
    promised = {order.order_id: order.ship_in_h for order in shop.orders if order.ship_in_h is not None}
    loaded = {str(row["order_id"]): OrderIn.model_validate(row) for row in order_rows(shop, now=NOW)}
    assert len(promised) >= 4
    for order_id, hours in promised.items():
        assert loaded[order_id].ship_by == NOW + timedelta(hours=hours)
        assert loaded[order_id].updated_at == NOW
    others = [order for order_id, order in loaded.items() if order_id not in promised]
    assert all(order.ship_by is None for order in others)


def test_the_order_nobody_knows_is_not_among_the_records(shop: DemoShop) -> None:
    unknown = shop.order("unknown").order_id
    assert unknown not in {row["order_id"] for row in rows(ORDERS)}
    assert unknown not in {row["order_id"] for row in order_rows(shop, now=NOW)}


def test_an_unknown_key_or_folder_says_so(shop: DemoShop, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no-such-order"):
        shop.order("no-such-order")
    with pytest.raises(ConfigError, match="no demo shop"):
        load_shop(tmp_path)


def test_every_picture_is_there_and_all_of_them_stay_under_five_megabytes(shop: DemoShop) -> None:
    drawn = {page.name for page in draw.PAGES} | {product.picture for product in shop.products} | set(SHOWN)
    assert set(shop.pictures) == drawn
    assert sum(path.stat().st_size for path in shop.pictures.values()) <= 5_000_000
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in shop.pictures.values()}) == len(shop.pictures)


def test_only_the_broken_picture_can_not_be_read(shop: DemoShop) -> None:
    for name, path in shop.pictures.items():
        if name == "broken.jpg":
            with pytest.raises(PictureUnreadable):
                accept_picture(path.read_bytes())
        else:
            picture = accept_picture(path.read_bytes())
            assert picture.width >= 480


def test_every_page_can_be_written_as_html_with_its_order_on_it(shop: DemoShop) -> None:
    by_key = {order.key: order for order in shop.orders}
    for page in draw.PAGES:
        html = draw.render(page, by_key, shop.seed)
        if page.order:
            assert by_key[page.order].order_id in html
        for key in page.orders:
            assert by_key[key].order_id not in html


def test_the_shop_loads_through_the_importers_and_loads_again_on_another_day(
    shop: DemoShop, sqlite_database: Database
) -> None:
    calls: list[tuple[int, int]] = []
    load_demo_data(sqlite_database, shop, now=NOW, progress=lambda done, total: calls.append((done, total)))
    later = NOW + timedelta(days=3)
    load_demo_data(sqlite_database, shop, now=later)
    paid, shipped = shop.order("zh-paid"), shop.order("zh-shipped")
    with sqlite_database.read() as tx:
        stored = orders.get(tx, CHANNEL, ACCOUNT, paid.order_id)
        assert stored is not None
        assert stored.ship_by == later + timedelta(hours=paid.ship_in_h or 0)
        on_its_way = orders.get(tx, CHANNEL, ACCOUNT, shipped.order_id)
        assert on_its_way is not None
        assert (on_its_way.amount, on_its_way.tracking_no) == (shipped.total, shipped.tracking_no)
        assert faq.search(tx, "请问怎么开发票？", "zh")[0].faq.faq_id == "invoice"
        assert faq.search(tx, "What is your return policy?", "en")[0].faq.faq_id == "returns"
    assert calls[-1][0] == calls[-1][1]


def test_every_faq_question_finds_its_own_entry(shop: DemoShop, sqlite_database: Database) -> None:
    load_demo_data(sqlite_database, shop, now=NOW)
    with sqlite_database.read() as tx:
        for entry in (FaqIn.model_validate(row) for row in rows(FAQ)):
            found = faq.search(tx, entry.question, entry.language)
            assert found[0].faq.faq_id == entry.faq_id
