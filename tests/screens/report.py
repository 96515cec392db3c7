"""Results as tables: on a terminal and as Markdown."""

from collections.abc import Iterable
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.screens.metrics import FACTS, Bar, Result, Tally, bars, upper_bound

Row = tuple[str, ...]
TALLY_HEAD = (
    "",
    "n",
    "order",
    "list",
    "number",
    "wrong",
    "hidden",
    "amount",
    "status",
    "time",
    "wrong facts",
    "unseen",
)
FIELD_HEAD = ("field", "exact where whole", "wrong where whole", "95 % bound of wrong", "right where part")
LEGEND = (
    "n pictures; taken for an order; called a list; number read and exact / wholly visible; wrong there; wrong / cut, "
    "painted over or absent; amount, status, time read and exact / wholly visible; wrong ones; values read unseen"
)


def _share(count: int, of: int) -> str:
    return f"{count}/{of}" if of else "-"


def bar_rows(found: Iterable[Bar]) -> list[Row]:
    """One row a promise."""
    rows = []
    for bar in found:
        sign = ">=" if bar.at_least else "<="
        rows.append((
            bar.name, f"{bar.count}/{bar.trials}", f"{bar.share:.2%}", f"{sign} {bar.target:.0%}",
            f"{bar.bound:.2%}", "yes" if bar.met else "NO",
        ))  # fmt: skip
    return rows


def tally_row(name: str, tally: Tally) -> Row:
    """One row of a table per variant or look."""
    number = tally.fields["order_id"]
    facts = [tally.fields[fact] for fact in FACTS]
    hidden = number.part + number.none
    return (
        name, str(tally.pictures), _share(tally.taken_for_order, tally.pictures), str(tally.flagged_list),
        _share(number.right, number.whole), str(number.wrong), _share(number.part_wrong + number.none_read, hidden),
        *(_share(fact.right, fact.whole) for fact in facts),
        str(sum(fact.wrong + fact.part_wrong for fact in facts)), str(sum(fact.none_read for fact in facts)),
    )  # fmt: skip


def tables(result: Result) -> list[tuple[str, Row, list[Row]]]:
    """Title, head and rows of every table."""
    extras = [
        (
            name,
            _share(count.right, count.whole),
            _share(count.wrong, count.whole),
            f"{upper_bound(count.wrong, count.whole):.2%}" if count.whole else "-",
            _share(count.part_right, count.part),
        )
        for name, count in result.total.fields.items()
    ]
    rest = [(look, str(n), str(taken), str(read)) for look, (n, taken, read) in sorted(result.others.items())]
    rest.append(("order list (flagged)", str(result.lists[0]), str(result.lists[1]), str(result.lists[2])))
    rest.append(("unreadable script (said so; wrong values)", *(str(n) for n in result.foreign)))
    return [
        ("Promises", ("", "n", "share", "aim", "95 % bound of failures", "met"), bar_rows(bars(result))),
        ("Per variant", TALLY_HEAD, [tally_row(name, tally) for name, tally in sorted(result.variants.items())]),
        ("Per look", TALLY_HEAD, [tally_row(name, tally) for name, tally in sorted(result.looks.items())]),
        ("Every field", FIELD_HEAD, extras),
        ("Pages that are no single order", ("page", "pictures", "taken for an order", "number read"), rest),
        ("Failures", ("file", "field", "got", "truth", "visible"),
         [(f.file, f.field, f.got, f.truth, f.visible) for f in result.failures]),
    ]  # fmt: skip


def timing(result: Result) -> str:
    """Seconds a picture as the engine reports them."""
    if not result.seconds:
        return "no picture was read"
    ranked = sorted(result.seconds)
    high = ranked[int(0.95 * (len(ranked) - 1))]
    return f"{len(ranked)} pictures, median {median(ranked):.2f} s, 95th percentile {high:.2f} s"


def show(result: Result, console: Console, *, failures: int = 60) -> None:
    """Print every table; of the failures the first ones."""
    for title, head, rows in tables(result):
        table = Table(*head, title=f"{title} ({len(rows)})" if title == "Failures" else title, title_justify="left")
        for row in rows[:failures] if title == "Failures" else rows:
            table.add_row(*row)
        console.print(table)
    console.print(LEGEND)
    console.print(timing(result))


def markdown(result: Result, engine: str, about: str) -> str:
    """The same as a page of documentation; the failures are listed in full."""
    parts = [
        "# Order screens",
        f"Engine: {engine}. Corpus: {about}. {timing(result)}.",
        "Bounds are one-sided Clopper-Pearson at 95 %. `whole`, `part` and `none` say how much of a field can be seen.",
        f"Columns of the tables per variant and look: {LEGEND}.",
    ]
    for title, head, rows in tables(result):
        parts.append(f"## {title}")
        lines = ["| " + " | ".join(cell or " " for cell in line) + " |" for line in (head, *rows)]
        parts.append("\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]]))
    return "\n\n".join(parts) + "\n"
