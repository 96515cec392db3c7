"""Render the corpus: python -m tests.screens.render --out DIR."""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.screens.catalog import PageSpec, all_pages
from tests.screens.shots import CHROMIUM, Screens
from tests.screens.truth import append, load, truth_line
from tests.screens.variants import Maker, Variant

SEED = 20250314
SOURCES = (
    "catalog",
    "context",
    "degrade",
    "labels",
    "orders",
    "paint",
    "render",
    "shots",
    "statuses",
    "truth",
    "variants",
)
SOURCES += ("words",)
TRUTH, CARD = "truth.jsonl", "corpus.json"
EXAMPLE = "example: nice python -m tests.screens.render --out var/screens --only jd --limit 3"


class StaleCorpus(RuntimeError):
    """The folder holds a corpus made by other code or with another seed; use --fresh."""


def corpus_hash(seed: int) -> str:
    """Changes when the code, a template or the seed changes."""
    folder = Path(__file__).parent
    files = [folder / f"{name}.py" for name in SOURCES] + sorted((folder / "pages").glob("*.html"))
    digest = hashlib.sha256(str(seed).encode())
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def is_complete(out: Path, seed: int = SEED) -> bool:
    """Whether the folder holds the whole corpus of today's code."""
    card = out / CARD
    if not card.exists():
        return False
    known = json.loads(card.read_text())
    return known["hash"] == corpus_hash(seed) and bool(known["complete"])


def _prepare(out: Path, seed: int, *, fresh: bool) -> set[str]:
    """Check or clear the folder; returns the pages that are already there."""
    out.mkdir(parents=True, exist_ok=True)
    card, truth, wanted = out / CARD, out / TRUTH, corpus_hash(seed)
    if card.exists() and json.loads(card.read_text())["hash"] != wanted:
        if not fresh:
            raise StaleCorpus(StaleCorpus.__doc__)
        for line in load(truth) if truth.exists() else ():
            (out / line["file"]).unlink(missing_ok=True)
        truth.unlink(missing_ok=True)
    card.write_text(json.dumps({"hash": wanted, "seed": seed, "complete": False}) + "\n")
    if not truth.exists():
        return set()
    lines = list(load(truth))
    truth.write_text("")  # without a line torn by an interrupt
    append(truth, lines)
    return {line["page"] for line in lines}


def _describe(spec: PageSpec, variant: Variant) -> dict[str, Any]:
    return {
        "page": spec.page_id,
        "kind": "order" if spec.kind == "foreign" else spec.kind,
        "look": spec.look,
        "language": spec.language,
        "dark": spec.dark,
        "detail": variant.detail,
    }


def write(out: Path, spec: PageSpec, variants: Iterator[Variant]) -> list[dict[str, Any]]:
    """Save the pictures of one page; returns their lines of truth."""
    lines = []
    for number, variant in enumerate(variants):
        suffix = "png" if variant.quality is None else "jpg"
        name = f"{spec.page_id}.{number:02d}-{variant.name}.{suffix}"
        if variant.quality is None:
            variant.picture.image.save(out / name, compress_level=4)
        else:
            variant.picture.image.save(out / name, quality=variant.quality)
        lines.append(truth_line(name, _describe(spec, variant), variant.name, variant.fields, variant.picture.layout))
    return lines


def render(
    out: Path,
    *,
    seed: int = SEED,
    only: str = "",
    limit: int | None = None,
    fresh: bool = False,
    console: Console | None = None,
) -> int:
    """Write the missing pages into `out`; returns how many pages were written now.

    `only` takes looks that start so, `limit` the first pages of those. Raises StaleCorpus.
    """
    done = _prepare(out, seed, fresh=fresh)
    pages = all_pages(seed)
    chosen = [(i, spec) for i, spec in enumerate(pages) if spec.look.startswith(only)][:limit]
    missing = [(i, spec) for i, spec in chosen if spec.page_id not in done]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Screens() as screens, Progress(*columns, console=console) as progress:
        maker, task = (
            Maker(screens),
            progress.add_task("pages", total=len(chosen), completed=len(chosen) - len(missing)),
        )
        for index, spec in missing:
            progress.update(task, description=spec.page_id)
            append(out / TRUTH, write(out, spec, maker.variants(spec, index)))
            progress.advance(task)
    complete = {line["page"] for line in load(out / TRUTH)} >= {spec.page_id for spec in pages}
    (out / CARD).write_text(json.dumps({"hash": corpus_hash(seed), "seed": seed, "complete": complete}) + "\n")
    return len(missing)


def main(arguments: list[str] | None = None) -> int:
    """Exit 0 when all was written, 2 when the browser is missing or the folder is stale."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures and truth.jsonl")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", metavar="LOOK", help="only looks that start with this")
    parser.add_argument("--limit", type=int, help="at most so many pages")
    parser.add_argument("--fresh", action="store_true", help="throw away a corpus of older code")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    if not CHROMIUM.exists():
        console.print(f"no browser at {CHROMIUM}: apt-get install chromium")
        return 2
    try:
        count = render(
            options.out, seed=options.seed, only=options.only, limit=options.limit, fresh=options.fresh, console=console
        )
    except StaleCorpus as error:
        console.print(str(error))
        return 2
    console.print(f"{count} pages written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
