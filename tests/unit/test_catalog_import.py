"""Catalog files: our own, Shopify's and WooCommerce's, as they are; and everything that can be wrong with a row."""

import csv
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cs_bot.errors import ConfigError, ImportRefused
from cs_bot.knowledge.catalog.importing import CatalogImport, import_catalog
from cs_bot.knowledge.exports.values import money, once, text_of_html, whole_number
from cs_bot.schemas import ProductIn
from cs_bot.store.database import Database
from cs_bot.store.queries import products
from tests.makers import ACCOUNT, CHANNEL

DATA = Path(__file__).parents[1] / "data" / "catalog"


def load(database: Database, path: Path, **values: Any) -> CatalogImport:
    filled = {"channel": CHANNEL, "account": ACCOUNT, "timezone": "Asia/Shanghai"}
    return import_catalog(database, path, **{**filled, **values})


def stored(database: Database, product_id: str) -> ProductIn:
    with database.read() as tx:
        found = products.get(tx, CHANNEL, ACCOUNT, product_id)
    assert found is not None
    return found


def sold(database: Database) -> list[str]:
    with database.read() as tx:
        return sorted(products.ids(tx, CHANNEL, ACCOUNT))


def written(folder: Path, text: str, name: str = "goods.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def changed(folder: Path, name: str, change: dict[tuple[int, str], str]) -> Path:
    """A copy of an export with some cells (record from 0, column) written otherwise."""
    with (DATA / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for (record, column), cell in change.items():
        rows[record][column] = cell
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def refused(database: Database, path: Path, **values: Any) -> dict[int, str]:
    with pytest.raises(ImportRefused) as caught:
        load(database, path, **values)
    assert sold(database) == []
    return dict(caught.value.problems)


def test_a_shopify_export_becomes_products_with_variants_pictures_and_links(sqlite_database: Database) -> None:
    done = load(sqlite_database, DATA / "shopify_export.csv", currency="USD", shop_url="https://shop.example/")
    assert (done.format, done.rows.created, done.unsold) == ("shopify", 3, 1)
    assert done.rows.ignored_columns == ()
    assert sold(sqlite_database) == ["canvas-tote", "gift-mug"]
    tote = stored(sqlite_database, "canvas-tote")
    assert (tote.title, tote.brand, tote.category, tote.currency) == ("Canvas Tote", "Northfield", "Totes", "USD")
    assert tote.description == 'Roomy & light.\nCotton canvas\nFits a 13" laptop'
    assert tote.url == "https://shop.example/products/canvas-tote"
    assert [url.rsplit("/")[-1] for url in tote.pictures] == [
        "tote-black.jpg?v=1",
        "tote-natural.jpg?v=1",
        "tote-inside.jpg?v=1",
    ]
    assert tote.attributes == {"Color": "black; natural", "Tags": "bags, summer"}
    black, natural = tote.variants
    assert (black.sku, black.title, black.price, black.stock) == ("TOTE-BLK-M", "Black / M", Decimal("29.00"), 7)
    assert black.attributes == {"Color": "Black", "Size": "M", "Barcode": "0123456789012"}
    assert (natural.price, natural.stock) == (Decimal("31.50"), 0)
    assert natural.picture == tote.pictures[1]


def test_a_shopify_product_that_sells_on_without_stock_has_no_known_stock(sqlite_database: Database) -> None:
    load(sqlite_database, DATA / "shopify_export.csv", currency="USD")
    (mug,) = stored(sqlite_database, "gift-mug").variants
    assert (mug.sku, mug.title, mug.attributes, mug.stock) == ("MUG-350", "", {}, None)
    assert stored(sqlite_database, "gift-mug").url is None


def test_the_newer_columns_of_shopify_are_understood_too(sqlite_database: Database) -> None:
    done = load(sqlite_database, DATA / "shopify_export_new.csv", currency="USD")
    assert (done.format, done.rows.ignored_columns) == ("shopify", ())
    socks = stored(sqlite_database, "wool-socks")
    assert [(v.sku, v.attributes, v.stock) for v in socks.variants] == [
        ("SOCK-M", {"Size": "M"}, 4),
        ("SOCK-L", {"Size": "L"}, None),
    ]


def test_a_woocommerce_export_becomes_products_with_their_variations(sqlite_database: Database) -> None:
    done = load(sqlite_database, DATA / "woocommerce_export.csv", currency="EUR", shop_url="https://woo.example")
    assert (done.format, done.rows.created, done.unsold) == ("woocommerce", 5, 1)
    assert done.rows.ignored_columns == ()
    tee = stored(sqlite_database, "44")
    assert (tee.title, tee.brand, tee.category, tee.price) == ("V-Neck T-Shirt", "Woo", "Tshirts", None)
    assert tee.url == "https://woo.example/?post_type=product&p=44"
    assert [(v.sku, v.attributes, v.price, v.stock) for v in tee.variants] == [
        ("woo-vneck-tee-red", {"Color": "Red"}, Decimal("20"), 3),
        ("44:Green", {"Color": "Green"}, Decimal("20.5"), 0),
    ]
    assert tee.variants[1].picture == "https://woo.example/vnech-tee-green-1.jpg"
    assert tee.attributes["SKU"] == "woo-vneck-tee"
    hoodie = stored(sqlite_database, "46")
    assert (hoodie.price, hoodie.stock, hoodie.attributes["GTIN"]) == (Decimal("990.50"), 12, "4006381333931")
    assert [v.sku for v in hoodie.variants] == ["woo-hoodie-with-zipper"]
    album = stored(sqlite_database, "48")
    assert (album.price, album.stock) == (Decimal("15"), 0)  # the sale is over
    assert stored(sqlite_database, "79").url == "https://mercantile.example/pennant"


def test_our_own_csv_has_variants_as_json_and_attributes_as_pairs(sqlite_database: Database, tmp_path: Path) -> None:
    variants = json.dumps([{"sku": "CUP-W", "attributes": {"颜色": "白色"}, "price": 89.5, "stock": 3}]).replace(
        '"', '""'
    )
    text = (
        "product_id,title,price,stock,currency,attributes,variants,pictures,updated_at,Remark\n"
        f'CUP,手冲杯,"1,289.00",4,CNY,材质=陶瓷; 容量=350ml,"{variants}",a.jpg|b.jpg,2026-05-01 12:00:00,x\n'
    )
    done = load(sqlite_database, written(tmp_path, text))
    assert (done.format, done.rows.created, done.rows.ignored_columns) == ("own", 1, ("remark",))
    cup = stored(sqlite_database, "CUP")
    assert (cup.price, cup.attributes, cup.pictures) == (
        Decimal("1289.00"),
        {"材质": "陶瓷", "容量": "350ml"},
        ("a.jpg", "b.jpg"),
    )
    assert cup.variants[0].price == Decimal("89.5")
    assert cup.updated_at == datetime(2026, 5, 1, 4, 0, tzinfo=UTC)


def test_json_lines_need_no_currency_option_and_no_time(sqlite_database: Database, tmp_path: Path) -> None:
    path = written(tmp_path, '{"product_id": 12, "title": "杯子", "price": "9.90"}\n', "goods.jsonl")
    os.utime(path, (1_750_000_000, 1_750_000_000))
    load(sqlite_database, path)
    assert stored(sqlite_database, "12").updated_at == datetime.fromtimestamp(1_750_000_000, UTC)
    assert stored(sqlite_database, "12").currency == "CNY"


def test_the_same_export_again_changes_nothing_and_an_older_one_is_told(
    sqlite_database: Database, tmp_path: Path
) -> None:
    path = changed(tmp_path, "shopify_export.csv", {})
    load(sqlite_database, path, currency="USD")
    os.utime(path)
    assert load(sqlite_database, path, currency="USD").rows.unchanged == 3
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert load(sqlite_database, path, currency="USD").rows.stale == 3


def test_a_complete_file_takes_out_what_it_does_not_name(sqlite_database: Database, tmp_path: Path) -> None:
    load(sqlite_database, written(tmp_path, "product_id,title\nA,杯子\nB,帽子\nC,鞋子\n"))
    newer = '{"product_id": "C", "title": "鞋子", "updated_at": "2999-01-01T00:00:00Z"}\n'
    load(sqlite_database, written(tmp_path, newer, "c.jsonl"))
    path = written(tmp_path, "product_id,title\nA,杯子\n")
    assert load(sqlite_database, path).gone == 0
    assert load(sqlite_database, path, complete=True).gone == 1
    assert sold(sqlite_database) == ["A", "C"]  # C was heard of after the export


@pytest.mark.parametrize("name", ["shopify_export.csv", "woocommerce_export.csv"])
def test_an_export_without_currency_is_refused_with_the_option_to_give(sqlite_database: Database, name: str) -> None:
    with pytest.raises(ConfigError, match="add --currency"):
        load(sqlite_database, DATA / name)


def test_a_header_of_no_known_file_names_what_each_would_have(sqlite_database: Database, tmp_path: Path) -> None:
    problems = refused(sqlite_database, written(tmp_path, "货号,名称,价格\n1,杯子,9\n"))
    for said in (
        "product_id + title",
        "handle + title + variant price",
        "name + regular price + type",
        "货号, 名称, 价格",
    ):
        assert said in problems[1]
    wrong = refused(sqlite_database, DATA / "woocommerce_export.csv", file_format="shopify", currency="USD")
    assert "no header of a Shopify product export" in wrong[1]


def test_every_bad_row_of_our_own_file_is_named_with_its_line(sqlite_database: Database, tmp_path: Path) -> None:
    text = (
        "product_id,title,price,stock,variants,attributes,currency\n"
        "A,杯子,9.90,1,,,CNY\n"
        "B,,9.90,1,,,CNY\n"
        "C,帽子,nine,1,,,CNY\n"
        "D,帽子,9,-1,,,CNY\n"
        'E,帽子,9,1,"[{""sku"": ""x"", ""price"": -1}]",,CNY\n'
        'F,帽子,9,1,"[oops",,CNY\n'
        "G,帽子,9,1,,颜色,CNY\n"
        "H,帽子,9,1,,,yuan\n"
        "A,又一个,9,1,,,CNY\n"
        "1.2E+11,帽子,9,1,,,CNY\n"
        "J,帽子\n"
        'K,"帽子,9,1,,,CNY\n'
    )
    problems = refused(sqlite_database, written(tmp_path, text))
    assert sorted(problems) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    for line, said in {
        3: "title",
        4: "price: not an amount",
        5: "stock",
        6: "variants.0.price",
        7: "variants: starts with [",
        8: "attributes: write name=value",
        9: "currency",
        10: "product_id stands on line 2 already",
        11: "a spreadsheet has rounded",
        12: "2 cells, the header has 7",
        13: "not valid CSV",
    }.items():
        assert said in problems[line], (line, problems[line])


def test_every_bad_row_of_a_shopify_export_is_named_with_its_line(sqlite_database: Database, tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        "shopify_export.csv",
        {
            (1, "Variant Price"): "1,234",
            (1, "Variant Inventory Qty"): "few",
            (2, "Handle"): "",
            (3, "Title"): "",
            (4, "Handle"): "canvas-tote",
        },
    )
    problems = refused(sqlite_database, path, currency="USD")
    lines = {said.split(":")[0]: line for line, said in problems.items()}
    assert set(lines) == {"variant price", "handle", "title", "the rows of handle canvas-tote do not stand together"}
    assert "variant inventory qty: not a whole number" in problems[lines["variant price"]]
    assert lines["variant price"] == 4  # the body of the first record has a line break
    assert lines["handle"] == 5


def test_every_bad_row_of_a_woocommerce_export_is_named_with_its_line(
    sqlite_database: Database, tmp_path: Path
) -> None:
    path = changed(
        tmp_path,
        "woocommerce_export.csv",
        {
            (1, "Regular price"): "abc",
            (2, "Type"): "bundle",
            (3, "Name"): "",
            (4, "Stock"): "lots",
            (5, "Parent"): "id:999",
            (6, "Date sale price ends"): "soon",
        },
    )
    problems = refused(sqlite_database, path, currency="EUR")
    assert {line: said.split(":")[0] for line, said in problems.items()} == {
        3: "regular price",
        4: "type",
        5: "name",
        6: "stock",
        7: "parent",
        8: "date sale price",
    }


def test_hostile_cells_are_text_and_nothing_else(sqlite_database: Database, tmp_path: Path) -> None:
    title = '=HYPERLINK("http://x") <b>\' OR 1=1 -- \u202e'
    with (tmp_path / "goods.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["product_id", "title", "description"], ["A", title, "x" * 19_000]])
    load(sqlite_database, tmp_path / "goods.csv")
    assert stored(sqlite_database, "A").title == title


def test_variants_with_the_same_sku_are_told_apart(sqlite_database: Database, tmp_path: Path) -> None:
    path = changed(tmp_path, "shopify_export.csv", {(1, "Variant SKU"): "TOTE-BLK-M"})
    load(sqlite_database, path, currency="USD")
    assert [v.sku for v in stored(sqlite_database, "canvas-tote").variants] == ["TOTE-BLK-M", "TOTE-BLK-M#2"]
    assert once(["a", "a", "b", "a"]) == ["a", "a#2", "b", "a#3"]


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("12", "12"),
        ("12.5", "12.5"),
        ("12,50", "12.50"),
        ("1,299.00", "1299.00"),
        ("1.299,00", "1299.00"),
        ("1 299,00", "1299.00"),
        ("1,234,567", "1234567"),
        ("¥89.00", "89.00"),
        ("89.00 USD", "89.00"),
        ("89元", "89"),
        ("1.234", "1.234"),
    ],
)
def test_amounts_are_read_as_shops_write_them(cell: str, amount: str) -> None:
    assert money(cell) == Decimal(amount)


@pytest.mark.parametrize("cell", ["1,234", "-5", "nine", "1.2.3", "12,34,56", "", "1e5", "٣", "NaN", "∞", "12-20"])
def test_amounts_that_may_mean_two_things_or_none_are_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        money(cell)


def test_whole_numbers_and_html() -> None:
    assert [whole_number(cell) for cell in ("12", "12.0", "-3")] == [12, 12, -3]
    with pytest.raises(ValueError, match="whole"):
        whole_number("1.5")
    assert text_of_html("<style>p{}</style>a&nbsp;<b>b</b><br>c</p></p><p>d &lt;e&gt;") == "a b\nc\nd <e>"
    assert text_of_html("no html") == "no html"
    assert text_of_html("<p><<>>&#0;<!-- x") != ""
