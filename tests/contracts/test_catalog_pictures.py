"""Product pictures indexed and found again, and what a turn means by its pictures, on each kind of database."""

import logging
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cs_bot.demo.goods import DemoProduct, make_products
from cs_bot.demo.goods_art import beside, draw_product, on_a_phone, reposted
from cs_bot.images import accept_picture
from cs_bot.knowledge.catalog import Catalog, pictures
from cs_bot.knowledge.catalog.indexing import Indexed, index_next
from cs_bot.records import Item, Kind, Likeness, LookupOutcome, ProductLookup, Reading
from cs_bot.schemas import ProductIn
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import product_pictures
from tests.goods import product_in, put
from tests.makers import ACCOUNT, CHANNEL
from tests.readings import look, reading, turn

GOODS = {product.key: product for product in make_products(seed=5)}
SOLD = ("mug-1", "mug-2", "mug-1-other", "bag-1", "bag-2", "shoe-1", "lamp-1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's picture files."""
    path = tmp_path_factory.mktemp("goods")
    for key in (*SOLD, "shoe-2"):
        drawn(key).save(path / GOODS[key].picture, quality=85)
    (path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return path


def drawn(key: str) -> Image.Image:
    return draw_product(GOODS[key], side=320)


def record(product: DemoProduct, **values: Any) -> ProductIn:
    return product.record("").model_copy(update=values)


def sent(picture: Image.Image) -> bytes:
    """A picture as it is stored after a customer sent it."""
    out = BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=80)
    return accept_picture(out.getvalue()).data


def index_all(database: Database, folder: Path | None, **values: Any) -> list[Indexed]:
    def every() -> Iterator[Indexed]:
        filled: dict[str, Any] = {"rules_of": lambda channel, account: None, "max_attempts": 3, **values}
        while (done := index_next(database, folder=folder, **filled)) is not None:
            yield done

    return list(every())


def opened(database: Database, folder: Path) -> tuple[Database, Catalog]:
    put(database, [record(GOODS[key]) for key in SOLD])
    assert {done.state for done in index_all(database, folder)} == {"ready"}
    return database, Catalog(database, MediaStore("memory://catalog"))


@pytest.fixture
def shop(sqlite_database: Database, folder: Path) -> tuple[Database, Catalog]:
    """For what does not depend on the kind of database."""
    return opened(sqlite_database, folder)


def meant(shop: tuple[Database, Catalog], asked: Reading, *shown: bytes) -> tuple[ProductLookup, ...]:
    database, catalog = shop
    known = {one.picture_sha256: data for one, data in zip(asked.looks, shown, strict=True)}
    with database.read() as tx:
        return catalog.lookup(tx, turn(), asked, known)


def pictured(*items: Item, kind: Kind = Kind.PRODUCT, number: int = 1) -> Any:
    return look(kind, picture_sha256=str(number) * 64, items=items)


def keys(found: Sequence[ProductLookup]) -> list[list[str]]:
    by_id = {product.product_id: key for key, product in GOODS.items()}
    return [[by_id[hit.product.product_id] for hit in one.hits] for one in found]


def asking(*looks: Any, text: str = "有这个吗", **values: Any) -> Reading:
    return reading(*looks, kind=Kind.PRODUCT, question=text, aspects=("exists",), **values)


def test_a_reposted_picture_is_clear_with_price_and_stock_of_the_record(shop: tuple[Database, Catalog]) -> None:
    (found,) = meant(shop, asking(pictured()), sent(reposted(drawn("bag-2"))))
    assert (found.number, found.where, found.outcome) == (1, "whole", LookupOutcome.CLEAR)
    assert keys([found]) == [["bag-2"]]
    assert found.hits[0].likeness is Likeness.SAME_PICTURE
    assert found.hits[0].product.price == GOODS["bag-2"].price


def test_another_colour_of_a_product_is_never_clear(shop: tuple[Database, Catalog], folder: Path) -> None:
    database, _ = shop
    put(database, [record(GOODS["mug-1-other"], active=False)])
    fresh = (database, Catalog(database, MediaStore("memory://catalog")))
    (found,) = meant(fresh, asking(pictured()), sent(drawn("mug-1-other")))
    assert found.outcome is not LookupOutcome.CLEAR
    assert all(hit.likeness is not Likeness.SAME_PICTURE for hit in found.hits)


def test_a_thing_that_the_shop_does_not_have_is_not_clear(shop: tuple[Database, Catalog]) -> None:
    (found,) = meant(shop, asking(pictured()), sent(drawn("unknown-bag")))
    assert found.outcome is not LookupOutcome.CLEAR


def test_a_picture_that_two_products_share_is_close(database: Database, folder: Path) -> None:
    twin = record(GOODS["mug-1"], product_id="TWIN")
    put(database, [record(GOODS["mug-1"]), twin])
    index_all(database, folder)
    (found,) = meant((database, Catalog(database, MediaStore("memory://c"))), asking(pictured()), sent(drawn("mug-1")))
    assert found.outcome is LookupOutcome.CLOSE
    assert {hit.product.product_id for hit in found.hits} == {GOODS["mug-1"].product_id, "TWIN"}


def test_left_and_right_of_a_comparison_are_looked_up_apart(shop: tuple[Database, Catalog]) -> None:
    both = sent(beside(drawn("bag-1"), drawn("lamp-1")))
    shown = pictured(Item(where="left"), Item(where="right"), kind=Kind.COMPARISON)
    found = meant(shop, asking(shown, text="哪个好"), both)
    assert [(one.number, one.where, one.outcome) for one in found] == [
        (1, "left", LookupOutcome.CLEAR),
        (1, "right", LookupOutcome.CLEAR),
    ]
    assert keys(found) == [["bag-1"], ["lamp-1"]]


def test_a_part_whose_place_is_unknown_is_not_taken_for_the_whole(shop: tuple[Database, Catalog]) -> None:
    shown = pictured(Item(where="1"), Item(where="2"), kind=Kind.SCENE)
    found = meant(shop, asking(shown, text=""), sent(drawn("bag-1")))
    assert [one.outcome for one in found] == [LookupOutcome.NONE, LookupOutcome.NONE]


def test_several_pictures_are_several_things_by_their_numbers(shop: tuple[Database, Catalog]) -> None:
    asked = asking(pictured(), pictured(number=2), numbers=(1, 3))
    found = meant(shop, asked, sent(drawn("bag-1")), sent(on_a_phone(drawn("shoe-1"))))
    assert [(one.number, one.outcome) for one in found] == [(1, LookupOutcome.CLEAR), (3, LookupOutcome.CLEAR)]
    assert keys(found) == [["bag-1"], ["shoe-1"]]


def test_an_order_screen_is_no_product(shop: tuple[Database, Catalog]) -> None:
    asked = reading(look(Kind.ORDER, picture_sha256="1" * 64), question="到哪了")
    assert meant(shop, asked, sent(drawn("bag-1"))) == ()


def test_a_typed_code_beside_a_picture_of_another_product_asks(shop: tuple[Database, Catalog]) -> None:
    code = GOODS["lamp-1"].product_id
    (found,) = meant(shop, asking(pictured(), text=f"{code} 还有吗"), sent(drawn("bag-1")))
    assert found.outcome is LookupOutcome.CLOSE
    assert set(keys([found])[0]) == {"lamp-1", "bag-1"}


def test_a_code_read_from_a_picture_is_never_clear(shop: tuple[Database, Catalog]) -> None:
    shown = pictured(Item(attributes={"code": GOODS["lamp-1"].product_id}))
    (found,) = meant(shop, asking(shown, text="有吗"), sent(Image.new("RGB", (200, 200), "white")))
    assert found.outcome is LookupOutcome.CLOSE
    assert keys([found]) == [["lamp-1"]]


def test_another_code_on_the_same_picture_asks_and_the_records_own_does_not(shop: tuple[Database, Catalog]) -> None:
    product, shown = GOODS["bag-2"], sent(reposted(drawn("bag-2")))
    for code, outcome in (("M-2098", LookupOutcome.CLOSE), (product.product_id, LookupOutcome.CLEAR)):
        (found,) = meant(shop, asking(pictured(Item(attributes={"code": code}))), shown)
        assert (found.outcome, found.hits[0].product.product_id) == (outcome, product.product_id), code


def test_words_alone_beside_an_unknown_picture_are_never_clear(shop: tuple[Database, Catalog]) -> None:
    title = GOODS["lamp-1"].title
    (found,) = meant(shop, asking(pictured(), text=title), sent(Image.new("RGB", (200, 200), "white")))
    assert found.outcome is LookupOutcome.CLOSE
    assert keys([found])[0][0] == "lamp-1"


def test_words_that_nobody_says_of_goods_mean_no_product(shop: tuple[Database, Catalog]) -> None:
    assert meant(shop, reading(question="可以开发票吗")) == ()
    (found,) = meant(shop, reading(question="有滑雪板吗", aspects=("exists",)))
    assert (found.number, found.outcome) == (None, LookupOutcome.NONE)


def test_things_that_words_hold_against_each_other_are_looked_up_apart(sqlite_database: Database) -> None:
    put(sqlite_database, [product_in("A1", "帆布双肩包"), product_in("A2", "真皮斜挎包"), product_in("A3", "毛巾")])
    shop = (sqlite_database, Catalog(sqlite_database, MediaStore("memory://catalog")))
    asked = reading(question="帆布双肩包和真皮斜挎包哪个好", aspects=("compare",))
    assert [one.hits[0].product.product_id for one in meant(shop, asked)] == ["A1", "A2"]
    with_codes = reading(question="A1001和A1002", aspects=("compare",))
    put(sqlite_database, [product_in("A1001", "杯子"), product_in("A1002", "帽子")])
    found = meant(shop, with_codes)
    assert [(one.outcome, one.hits[0].product.product_id) for one in found] == [
        (LookupOutcome.CLEAR, "A1001"),
        (LookupOutcome.CLEAR, "A1002"),
    ]
    alone = reading(question="帆布双肩包和滑雪板哪个好", aspects=("compare",))
    assert len(meant(shop, alone)) == 1


def test_the_picture_settles_the_variant_and_the_words_may_ask_for_another(database: Database, folder: Path) -> None:
    variants = [
        {"sku": "M-1", "attributes": {"颜色": "黑色"}, "picture": GOODS["mug-1"].picture},
        {"sku": "M-2", "attributes": {"颜色": "红色"}, "picture": GOODS["mug-1-other"].picture},
    ]
    put(database, [product_in("P1", "马克杯", variants=variants)])
    index_all(database, folder)
    shop = (database, Catalog(database, MediaStore("memory://catalog")))
    (found,) = meant(shop, asking(pictured()), sent(drawn("mug-1")))
    assert (found.outcome, found.hits[0].sku) == (LookupOutcome.CLEAR, "M-1")
    (other,) = meant(shop, asking(pictured(), wanted={"colour": "red"}), sent(drawn("mug-1")))
    assert (other.outcome, other.hits[0].sku) == (LookupOutcome.CLEAR, "M-2")
    with database.read() as tx:
        (hit,) = shop[1].by_picture(tx, CHANNEL, ACCOUNT, sent(drawn("mug-1-other")))
    assert hit.sku == "M-2"


def test_what_changes_in_the_catalog_changes_the_index_of_a_running_process(database: Database, folder: Path) -> None:
    shop = _, catalog = opened(database, folder)
    bag = sent(drawn("bag-1"))
    assert meant(shop, asking(pictured()), bag)[0].outcome is LookupOutcome.CLEAR
    put(database, [record(GOODS["bag-1"], pictures=(GOODS["shoe-2"].picture,))])
    put(database, [record(GOODS["bag-2"], active=False)])
    catalog.forget()
    assert meant(shop, asking(pictured()), bag)[0].outcome is not LookupOutcome.CLEAR
    index_all(database, folder)
    catalog.forget()
    (found,) = meant(shop, asking(pictured()), sent(drawn("shoe-2")))
    assert (found.outcome, keys([found])) == (LookupOutcome.CLEAR, [["bag-1"]])
    assert meant(shop, asking(pictured()), sent(drawn("bag-2")))[0].outcome is not LookupOutcome.CLEAR


def test_an_index_that_is_kept_fresh_is_not_loaded_inside_a_turn(
    shop: tuple[Database, Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, catalog = shop
    catalog.keep_fresh([(CHANNEL, ACCOUNT), (CHANNEL, "other")])
    monkeypatch.setattr(product_pictures, "features_of", None)  # whoever calls it now fails
    (found,) = meant(shop, asking(pictured()), sent(drawn("bag-1")))
    assert found.outcome is LookupOutcome.CLEAR


def test_an_index_that_can_not_be_loaded_stops_no_worker(
    shop: tuple[Database, Catalog], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(product_pictures, "features_of", None)
    shop[1].keep_fresh([(CHANNEL, ACCOUNT)])
    assert "the index of product pictures could not be loaded" in caplog.text


def test_features_of_another_version_are_no_part_of_the_index(shop: tuple[Database, Catalog]) -> None:
    database, catalog = shop
    with database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE product_pictures SET features_version = 99")
        tx.connection.exec_driver_sql("UPDATE product_pictures SET indexed_at = '2026-01-01 00:00:00.000000'")
    catalog.forget()
    with database.read() as tx:
        assert catalog.by_picture(tx, CHANNEL, ACCOUNT, sent(drawn("bag-1"))) == ()


def test_without_opencv_pictures_find_nothing_and_the_log_says_so_once(
    shop: tuple[Database, Catalog], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda name: None)  # as where the extra is not installed
    with caplog.at_level(logging.WARNING, "cs_bot.catalog"):
        for _ in range(2):
            (found,) = meant(shop, asking(pictured()), sent(drawn("bag-1")))
            assert found.outcome is LookupOutcome.NONE
    assert [record.message for record in caplog.records] == [
        "no OpenCV here: products are found by words alone (pip install -e '.[lite]')"
    ]


def test_files_that_are_missing_broken_or_outside_the_folder_fail_with_the_reason(
    database: Database, folder: Path
) -> None:
    (folder.parent / "secret.jpg").write_bytes(b"x")
    named = [GOODS["mug-1"].picture, "broken.jpg", "nowhere.jpg", "../secret.jpg", f"file://{folder}/../secret.jpg"]
    put(database, [product_in("P1", pictures=named)])
    done = {one.url: (one.state, one.reason) for one in index_all(database, folder)}
    assert done[GOODS["mug-1"].picture] == ("ready", None)
    assert done["broken.jpg"][0] == "failed"
    assert done["nowhere.jpg"] == ("failed", "the picture file can't be read (FileNotFoundError)")
    for outside in named[3:]:
        assert done[outside] == ("failed", f"the picture file lies outside {folder.name}/")
    with database.read() as tx:
        assert product_pictures.counts(tx) == {"waiting": 0, "ready": 1, "failed": 4}


def test_a_picture_that_kills_its_process_each_time_is_given_up(database: Database, folder: Path) -> None:
    put(database, [product_in("P1", pictures=[GOODS["mug-1"].picture])])
    for _ in range(3):
        with database.write() as tx:
            assert product_pictures.claim(tx, lease_s=1, local=True) is not None
        database.shift(2)
    (done,) = index_all(database, folder)
    assert (done.state, done.reason) == ("failed", "given up: every attempt was cut short")
