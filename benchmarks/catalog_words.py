"""Milliseconds of a word search by the size of the catalog, on both databases, on the questions of the tests."""

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

import _common

from cs_bot.knowledge.catalog import Catalog
from cs_bot.schemas import ProductIn
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from tests.goods import put, queries, shop_goods
from tests.makers import ACCOUNT, CHANNEL

EXAMPLE = "example: nice python benchmarks/catalog_words.py --sizes 500 5000"


def goods(size: int) -> list[ProductIn]:
    """The drawn catalog, and around it products whose titles are made of its parts."""
    rng, base = random.Random(size), shop_goods()
    parts = [product.title[at : at + 4] for product in base for at in range(0, len(product.title), 4)]
    more = [
        rng.choice(base).model_copy(
            update={"product_id": f"G{number}", "title": "".join(rng.sample(parts, 5)), "variants": ()}
        )
        for number in range(size - len(base))
    ]
    return [*base, *more]


def measure(address: str, size: int) -> tuple[float, float, float]:
    """Seconds to store the catalog, median and 95th percentile of a search in milliseconds."""
    database = Database(address)
    migrate.upgrade(database)
    started, items = time.perf_counter(), goods(size)
    for at in range(0, size, 500):
        put(database, items[at : at + 500])
    stored_s = time.perf_counter() - started
    catalog = Catalog(database, MediaStore("memory://bench"))
    times = []
    for query in queries():
        started = time.perf_counter()
        with database.read() as tx:
            catalog.by_words(tx, CHANNEL, ACCOUNT, query.text)
        times.append((time.perf_counter() - started) * 1000)
    database.close()
    return stored_s, statistics.median(times), statistics.quantiles(times, n=20)[-1]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 5000])
    sizes = parser.parse_args().sizes
    table = Table("database", "products", "stored in s", "median ms", "p95 ms", title="search by words")
    for kind in ("sqlite", "postgresql"):
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder, _common.database(kind, Path(folder)) as address:
                stored_s, median, p95 = measure(address, size)
            table.add_row(kind, str(size), f"{stored_s:.1f}", f"{median:.1f}", f"{p95:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
