"""Draws a demo shop by a seed: catalog, orders, pictures; reads one back; loads one into a database."""

import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from cs_bot.demo import draw
from cs_bot.demo.goods import DemoProduct, make_products
from cs_bot.demo.goods_art import draw_goods
from cs_bot.demo.orders import DemoOrder, make_orders
from cs_bot.errors import ConfigError, NotFound
from cs_bot.knowledge import imports
from cs_bot.knowledge.catalog import indexing
from cs_bot.knowledge.catalog.importing import import_catalog
from cs_bot.records import Record
from cs_bot.store.database import Database

DATA = Path(__file__).parent / "data"
SEED = 7  # of the shop that is committed
CHANNEL, ACCOUNT = "generic", "demo"
ORDERS, PRODUCTS, FAQ, MANIFEST, PICTURES = "orders.jsonl", "products.jsonl", "faq.jsonl", "shop.json", "pictures"

Progress = Callable[[int, int], None]
app = typer.Typer(add_completion=False, rich_markup_mode=None)


class DemoShop(Record):
    """A demo shop as it lies in a folder. `pictures` are file names under folder/pictures."""

    folder: Path
    seed: int
    orders: tuple[DemoOrder, ...]
    products: tuple[DemoProduct, ...] = ()

    def product(self, key: str) -> DemoProduct:
        """The product of that key; raises NotFound."""
        found = next((product for product in self.products if product.key == key), None)
        if found is None:
            raise NotFound(f"the demo shop has no product {key!r}")
        return found

    @cached_property
    def _by_key(self) -> dict[str, DemoOrder]:
        return {order.key: order for order in self.orders}

    def order(self, key: str) -> DemoOrder:
        """The order of that key; raises NotFound."""
        if key not in self._by_key:
            raise NotFound(f"the demo shop has no order {key!r}")
        return self._by_key[key]

    @property
    def pictures(self) -> dict[str, Path]:
        """File name -> path of every picture that is there."""
        return {path.name: path for path in sorted((self.folder / PICTURES).glob("*")) if path.is_file()}


def load_shop(folder: Path = DATA) -> DemoShop:
    """Read a shop; raises ConfigError when the folder holds none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError(f"no demo shop in {folder}: python -m cs_bot.demo.shop --into FOLDER makes one") from None
    orders = tuple(DemoOrder.model_validate(order) for order in manifest["orders"])
    products = tuple(DemoProduct.model_validate(product) for product in manifest["products"])
    return DemoShop(folder=folder, seed=manifest["seed"], orders=orders, products=products)


def make_shop(seed: int, folder: Path) -> DemoShop:
    """Write the data of the shop of that seed into `folder` (pictures apart) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    shop = DemoShop(folder=folder, seed=seed, orders=make_orders(seed), products=make_products(seed))
    manifest = {
        "seed": seed,
        "orders": [order.model_dump(mode="json", exclude_none=True) for order in shop.orders],
        "products": [product.model_dump(mode="json") for product in shop.products],
    }
    _write(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")
    _write(folder / ORDERS, _json_lines([_row(order) for order in shop.orders if order.recorded]))
    listed = [product.record(f"{PICTURES}/") for product in shop.products if product.listed]
    _write(folder / PRODUCTS, _json_lines([item.model_dump(mode="json", exclude_none=True) for item in listed]))
    if folder.resolve() != DATA.resolve():
        shutil.copyfile(DATA / FAQ, folder / FAQ)
    return shop


def order_rows(shop: DemoShop, *, now: datetime) -> list[dict[str, Any]]:
    """What the shop's system exports at `now` (UTC): promised shipping times count from then."""
    rows = []
    for order in shop.orders:
        if not order.recorded:
            continue
        row = _row(order)
        if order.ship_in_h is not None:
            row |= {"ship_by": (now + timedelta(hours=order.ship_in_h)).isoformat(), "updated_at": now.isoformat()}
        rows.append(row)
    return rows


def load_demo_data(
    database: Database,
    shop: DemoShop | None = None,
    *,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> DemoShop:
    """Import orders, catalog and FAQ through the product's own importers; a shop may be loaded again and again."""
    shop = shop or load_shop()
    with tempfile.TemporaryDirectory(prefix="cs-bot-demo-") as folder:
        path = Path(folder) / ORDERS
        _write(path, _json_lines(order_rows(shop, now=now or datetime.now(UTC))))
        imports.import_orders(database, path, channel=CHANNEL, account=ACCOUNT, progress=progress)
    imports.import_faq(database, shop.folder / FAQ, progress=progress)
    import_catalog(database, shop.folder / PRODUCTS, channel=CHANNEL, account=ACCOUNT, file_format="own")
    indexing.index_folder(database, shop.folder, of=(CHANNEL, ACCOUNT))
    return shop


def _row(order: DemoOrder) -> dict[str, Any]:
    return order.record().model_dump(mode="json", exclude_none=True)


def _json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


@app.command()
def main(
    seed: Annotated[int, typer.Option(help="another seed, another shop: numbers, sums, times, people")] = SEED,
    into: Annotated[Path, typer.Option(help="folder to write; default: the committed shop")] = DATA,
    with_pictures: Annotated[bool, typer.Option("--draw", help="draw the pictures too (needs chromium)")] = False,
    only: Annotated[str | None, typer.Option(help="draw only pictures whose name holds this")] = None,
) -> None:
    """Make a demo shop: orders.jsonl, faq.jsonl, shop.json and, with --draw, its pictures.

    Example: python -m cs_bot.demo.shop --seed 11 --into var/second-shop --draw

    Exit codes: 0 written, 2 chromium or playwright is missing.
    """
    shop = make_shop(seed, into)
    typer.echo(f"{len(shop.orders)} orders and {len(shop.products)} products of seed {seed} in {into}")
    if not with_pictures:
        return
    try:
        for path in (
            *draw_goods(shop.products, into / PICTURES),
            *draw.draw(shop.orders, into / PICTURES, seed=seed, only=only),
        ):
            typer.echo(f"{path.name}  {path.stat().st_size / 1000:.0f} kB")
    except ConfigError as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    app()
