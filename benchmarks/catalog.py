"""Milliseconds a query, memory and build time of the picture matcher beside a scan of hashes, as the catalog grows."""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

EXAMPLE = "example: nice python benchmarks/catalog.py --sizes 500 2000 5000 --queries 60"
DRAWN = 400  # different products drawn; larger catalogs hold altered copies of their features


def catalog(size: int) -> "list[tuple[str, object]]":
    """Features of `size` products. Drawing thousands takes too long: beyond DRAWN, copies with noise of their own."""
    from dataclasses import replace

    from cs_bot.knowledge.likeness import features
    from tests.likeness.draw import picture
    from tests.likeness.specs import make_shop

    shop = make_shop(21, min(size, DRAWN), 0)
    drawn = [features(picture(spec, shop.seed)) for spec in shop.items.values()]
    made = []
    for n in range(size):
        base = drawn[n % len(drawn)]
        if n >= len(drawn):
            rng = np.random.default_rng(n)
            shift = rng.integers(-60, 61, base.descriptors.shape)
            base = replace(
                base,
                phash=base.phash ^ rng.integers(0, 256, 32).astype(np.uint8),
                descriptors=np.clip(base.descriptors + shift, 0, 255).astype(np.uint8),
                copy=base.copy + n.to_bytes(4, "big"),
            )
        made.append((f"P{n}", base))
    return made


def measure(size: int, queries: int) -> dict[str, float]:
    """Figures of one size in this process."""
    from cs_bot.knowledge.likeness import LikenessIndex
    from cs_bot.knowledge.likeness.extract import phash256
    from cs_bot.knowledge.likeness.pixels import as_raster
    from tests.likeness.degrade import CHANGES
    from tests.likeness.draw import picture
    from tests.likeness.specs import make_shop

    products = catalog(size)
    before = psutil.Process().memory_info().rss
    hashes = np.stack([kept.phash for _, kept in products])  # type: ignore[attr-defined]
    started = time.perf_counter()
    index = LikenessIndex(products)  # type: ignore[arg-type]
    index.search(np.full((64, 64, 3), 200, np.uint8))
    build = time.perf_counter() - started
    memory = psutil.Process().memory_info().rss
    rng, shop = random.Random(4), make_shop(21, min(size, DRAWN), 40)
    specs = [*rng.sample(list(shop.items.values()), queries // 2), *(spec for _, spec in shop.outside[: queries // 2])]
    names = list(CHANGES)
    took, baseline = [], []
    for n, spec in enumerate(specs):
        query = np.asarray(CHANGES[names[n % len(names)]](picture(spec, shop.seed), rng))
        started = time.perf_counter()
        np.bitwise_count(hashes ^ phash256(as_raster(query).pixels)).sum(axis=1).argmin()
        baseline.append(1e3 * (time.perf_counter() - started))
        started = time.perf_counter()
        index.search(query)
        took.append(1e3 * (time.perf_counter() - started))
    return {
        "p50": statistics.median(took), "p95": sorted(took)[int(0.95 * (len(took) - 1))],
        "base_p50": statistics.median(baseline), "base_p95": sorted(baseline)[int(0.95 * (len(baseline) - 1))],
        "build_s": build, "index_mb": (memory - before) / 1e6, "rss_mb": memory / 1e6,
        "item_kb": sum(len(kept.to_bytes()) for _, kept in products[:200]) / len(products[:200]) / 1e3,  # type: ignore[attr-defined]
    }  # fmt: skip


def main() -> None:
    """Print the table. Each size runs in a process of its own, so that its memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 5000], help="products in the catalog")
    parser.add_argument("--queries", type=int, default=52, help="half of them pictures of products, half of others")
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps(measure(asked.sizes[0], asked.queries)))
        return
    table = Table(title=f"catalog by picture, {asked.queries} queries a size, one process")
    heads = ("products", "what", "p50 ms", "p95 ms", "build s", "index MB", "RSS MB", "stored kB an item")
    for head in heads:
        table.add_column(head, justify="left" if head == "what" else "right")
    for size in asked.sizes:
        command = [sys.executable, __file__, "--only", "--sizes", str(size), "--queries", str(asked.queries)]
        out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        got = json.loads(out.splitlines()[-1])
        table.add_row(str(size), "pHash scan alone", f"{got['base_p50']:.1f}", f"{got['base_p95']:.1f}", "", "", "", "")
        figures = (f"{got[name]:.0f}" for name in ("p50", "p95"))
        rest = (f"{got['build_s']:.1f}", *(f"{got[name]:.0f}" for name in ("index_mb", "rss_mb", "item_kb")))
        table.add_row("", "likeness index", *figures, *rest)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
