"""The bar's results as a page of documentation."""

from collections.abc import Iterable, Sequence
from statistics import median

from tests.likeness.bench import Counts, Result
from tests.screens.metrics import upper_bound

HEAD = ("", "n", "right", "asked", "other colour", "similar", "nothing sure", "wrong", "95 % bound of wrong")
HEAD_OUTSIDE = ("", "n", "same", "95 % bound of same", "other colour", "similar", "nothing")
ABOUT = """\
`tests/likeness` draws a shop (its seed decides everything): two fifths of the products are siblings of others,
photographed the same way but for one colour, print or pattern; backdrops are shared; some products have the very
same picture. All are synthetic: forms, surfaces and prints drawn by code, so shares of right answers are upper
bounds for real photos, which hold finer texture and finer differences.

**right**: stated as "the same" with the right product and a clear margin. **asked**: "the same" for the right
product and for another one too, so the customer is asked. **other colour**, **similar**: the right product comes
first, with that verdict. **wrong**: a wrong product stated with a clear margin. For products that the shop does not
sell, any "same" counts, clear or not.

The rules were changed while looking at the first shop only; the second one was not looked at before they were frozen.

**Known weak.** A product outside the catalog that differs from one of its products by two characters of a small label
is called the same nearly always (its row in the tables below, not part of the bar): the pictures are compared at 360
pixels. Two such products that are both in the catalog both fit, and are asked about. An overlaid banner or watermark
leaves "similar" of nearly every picture. A plain product with few key points is found only as a whole picture."""
SEED = """\
Seed {0.seed}, {0.products} products. {1} queries, median {2:.0f} ms, 95th percentile {3:.0f} ms. Products outside
whose difference nobody would see, left out: {0.unseen}."""


def markdown(results: Sequence[tuple[str, Result]], machine: str) -> str:
    """The page; `results` are (what the seed was used for, its result)."""
    parts = ["# Catalog by picture", machine, ABOUT]
    for title, result in results:
        parts += _section(title, result)
    return "\n\n".join(parts) + "\n"


def _section(title: str, result: Result) -> list[str]:
    found, outside = result.positives(), result.negatives()
    ranked = sorted(result.milliseconds)
    changes = [*result.changes.items(), ("**all**", found)]
    if result.twins.n:
        changes.append(("products with a twin (same picture)", result.twins))
    labels = [("two characters of a small label differ (not in the bar)", result.labels)] if result.labels.n else []
    mistakes = _mistakes(result)
    return [
        f"## {title}",
        SEED.format(result, len(ranked), median(ranked), ranked[int(0.95 * (len(ranked) - 1))]),
        "### Pictures of products, re-posted",
        _table(HEAD, (_row(name, counts) for name, counts in changes)),
        "### Products that the shop does not sell, by what they are",
        _table(HEAD_OUTSIDE, (_outside(*row) for row in [*result.outside.items(), ("**all**", outside), *labels])),
        "### ... and by what happened to their picture",
        _table(HEAD_OUTSIDE, (_outside(*row) for row in result.outside_changes.items())),
        "### What was stated wrongly",
        _table(("truth", "change", "said"), mistakes) if mistakes else "Nothing.",
    ]


def _row(name: str, c: Counts) -> tuple[str, ...]:
    share = f"{c.right} ({c.right / c.n:.0%})"
    bound = f"{upper_bound(c.wrong, c.n):.2%}"
    return name, str(c.n), share, str(c.asked), str(c.other_colour), str(c.similar), str(c.none), str(c.wrong), bound


def _outside(name: str, c: Counts) -> tuple[str, ...]:
    bound = f"{upper_bound(c.wrong, c.n):.2%}"
    return name, str(c.n), str(c.wrong), bound, str(c.other_colour), str(c.similar), str(c.none)


def _mistakes(result: Result) -> list[tuple[str, ...]]:
    return [
        (case.truth or case.sort, case.change, ", ".join(f"{m.key} {m.verdict} {m.score:.2f}" for m in case.got))
        for outcome, case in result.bad
        if outcome == "wrong" and case.sort != "label"
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cell or " " for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]])
