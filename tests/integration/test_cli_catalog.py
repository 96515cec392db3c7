"""catalog import, index, find, list, show as people type them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cs_bot.cli import catalog as command
from cs_bot.demo.goods import make_products
from cs_bot.demo.goods_art import draw_product, reposted
from cs_bot.store import tables
from cs_bot.store.database import Database
from tests.commands import ACCOUNT, Run, count
from tests.picture_host import Host, hosting

DATA = Path(__file__).parents[1] / "data" / "catalog"
GOODS = {product.key: product for product in make_products(seed=5)}
SOLD = ("bag-1", "bag-2", "lamp-1")

pytestmark = pytest.mark.usefixtures("with_account")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Picture files of three products."""
    folder = tmp_path_factory.mktemp("drawn")
    for key in SOLD:
        draw_product(GOODS[key], side=320).save(folder / GOODS[key].picture, quality=85)
    return folder


@pytest.fixture
def host(drawn: Path) -> Iterator[Host]:
    with hosting({f"/{path.name}": path.read_bytes() for path in drawn.iterdir()}) as found:
        yield found


def goods(folder: Path, address: str = "") -> str:
    path = folder / "goods.jsonl"
    lines = [GOODS[key].record(address).model_dump_json() for key in SOLD]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def nearby(folder: Path) -> None:
    """Let the account fetch from loopback."""
    (folder / "csbot.toml").write_text(ACCOUNT + "allow_http = true\nallow_private = true\n")


def test_a_file_with_a_folder_of_pictures_is_imported_indexed_and_found(
    run: Run, tmp_path: Path, drawn: Path, sqlite_database: Database
) -> None:
    shutil.copytree(drawn, tmp_path / "pictures")
    done = run("catalog", "import", goods(tmp_path), "--pictures", "pictures")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "catalog (own): 3 new, 0 updated, 0 unchanged, 0 older\npictures: 3 ready, 0 failed, 0 waiting\n"
    )
    reposted(Image.open(drawn / GOODS["bag-2"].picture)).save(tmp_path / "seen.jpg")
    found = run("catalog", "find", "--image", "seen.jpg")
    assert found.code == 0
    assert GOODS["bag-2"].product_id in found.out.splitlines()[1]
    assert "same_picture" in found.out
    assert "clear: the first one is meant" in found.out
    by_words = run("catalog", "find", *GOODS["lamp-1"].title.split())
    assert GOODS["lamp-1"].product_id in by_words.out.splitlines()[1]
    assert "none: nothing" in run("catalog", "find", "滑雪板").out


def test_pictures_are_fetched_and_what_fails_is_told_with_exit_code_1(
    run: Run, tmp_path: Path, host: Host, sqlite_database: Database
) -> None:
    nearby(tmp_path)
    name = GOODS["bag-1"].picture
    host.statuses = {f"/{name}": [404]}
    done = run("catalog", "import", goods(tmp_path, f"{host.url}/"), "--account", "shop")
    assert done.code == 1
    assert done.out.splitlines()[-1] == "pictures: 2 ready, 1 failed, 0 waiting"
    assert done.err == f"{GOODS['bag-1'].product_id}  picture 1  {host.url}/{name}  127.0.0.1 answered 404\n"
    assert run("catalog", "index").code == 1  # it still is not there
    again = run("catalog", "index", "--again")
    assert (again.code, again.out) == (0, "pictures: 3 ready, 0 failed, 0 waiting\n")
    assert sum(host.asked.values()) == 4


def test_an_import_without_index_leaves_the_pictures_for_later(
    run: Run, tmp_path: Path, drawn: Path, sqlite_database: Database
) -> None:
    assert run("catalog", "import", goods(tmp_path), "--no-index").out.count("\n") == 1
    told = run("catalog", "index")
    assert (told.code, told.out) == (0, "pictures: 0 ready, 0 failed, 3 waiting\n")
    assert told.err == "3 pictures are files: cs-bot catalog index --pictures FOLDER\n"
    done = run("catalog", "index", "--pictures", str(drawn))
    assert (done.code, done.out) == (0, "pictures: 3 ready, 0 failed, 0 waiting\n")


def test_without_opencv_products_are_imported_and_the_way_to_pictures_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_database: Database
) -> None:
    monkeypatch.setattr(command.indexing, "can_index", lambda: False)  # as where the extra is not installed
    done = run("catalog", "import", goods(tmp_path))
    assert done.code == 0
    assert "pip install -e '.[lite]', then cs-bot catalog index" in done.err
    assert run("catalog", "index").code == 2
    assert run("catalog", "find", "--image", "goods.jsonl").code == 2
    assert count(sqlite_database, tables.products) == 3


def test_exports_of_shops_are_imported_as_they_are(run: Run, sqlite_database: Database) -> None:
    file = str(DATA / "shopify_export.csv")
    refused = run("catalog", "import", file)
    assert refused.code == 2
    assert "add --currency" in refused.err
    done = run("catalog", "import", file, "--currency", "USD", "--shop-url", "https://shop.example", "--no-index")
    assert done.out == "catalog (shopify): 3 new, 0 updated, 0 unchanged, 0 older, 1 not on sale\n"
    woo = run(
        "catalog", "import", str(DATA / "woocommerce_export.csv"), "--currency", "EUR", "--no-index", "--complete"
    )
    assert woo.out.startswith("catalog (woocommerce): 5 new")
    listed = run("catalog", "list").out
    assert "V-Neck T-Shirt" in listed
    assert "20–20.5 EUR" in listed
    shown = run("catalog", "show", "44").out
    assert "woo-vneck-tee-red" in shown
    assert "waiting  https://woo.example/vneck-tee-2.jpg" in shown
    assert run("catalog", "show", "nothing").code == 1


def test_bad_files_and_options_are_refused_in_one_line(run: Run, tmp_path: Path, sqlite_database: Database) -> None:
    (tmp_path / "bad.csv").write_text("product_id,title\nA,\n", encoding="utf-8")
    bad = run("catalog", "import", "bad.csv")
    assert bad.code == 1
    assert "1 bad row(s); nothing was imported" in bad.err
    assert "line 2: title" in bad.err
    assert run("catalog", "import", "bad.csv", "--format", "ebay").code == 2
    assert run("catalog", "import", "bad.csv", "--account", "other").code == 2
    assert run("catalog", "find").code == 2
    assert count(sqlite_database, tables.products) == 0


def test_unknown_columns_are_named(run: Run, tmp_path: Path, sqlite_database: Database) -> None:
    (tmp_path / "goods.csv").write_text("product_id,title,Shelf\nA,杯子,7\n", encoding="utf-8")
    done = run("catalog", "import", "goods.csv", "--no-index")
    assert done.err == "columns that were not used: shelf\n"
    assert done.code == 0
