"""Rows of a page as strings whose every character knows its box, and the values that stand beside labels."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cs_bot.vision.lite.boxes import Page, Rect, Row, TextBox
from cs_bot.vision.lite.lexicon import fold

T = TypeVar("T")
_VALUE = re.compile(r"[\d¥￥$€£]")
BELOW_MAX_ROWS = 2
BELOW_MAX_HEIGHTS = 2.1  # how far under its label a value may start, in line heights


@dataclass(frozen=True)
class Line:
    """A row's text as printed and folded; `spots` has (box, index in it) for each character, None between boxes."""

    raw: str
    text: str
    spots: tuple[tuple[TextBox, int] | None, ...]

    def span(self, start: int, end: int) -> "Span":
        """The part [start, end) of this line."""
        return Span(self, start, end)


@dataclass(frozen=True)
class Span:
    """Characters of a line."""

    line: Line
    start: int
    end: int

    @property
    def raw(self) -> str:
        return self.line.raw[self.start : self.end]

    @property
    def parts(self) -> tuple[tuple[TextBox, int, int], ...]:
        """(box, first index, last index + 1) for each box that holds some of it, left to right."""
        runs: list[tuple[TextBox, int, int]] = []
        for spot in self.line.spots[self.start : self.end]:
            if spot is None:
                continue
            box, at = spot
            if runs and runs[-1][0] is box:
                runs[-1] = (box, runs[-1][1], at + 1)
            else:
                runs.append((box, at, at + 1))
        return tuple(runs)

    @property
    def rect(self) -> Rect:
        """Around its boxes, in pixels of the upright picture."""
        boxes = [part[0] for part in self.parts]
        return (
            round(min(b.left for b in boxes)),
            round(min(b.top for b in boxes)),
            round(max(b.right for b in boxes)),
            round(max(b.bottom for b in boxes)),
        )


@dataclass(frozen=True)
class Found:
    """A value that a parser made of a span; `label` is the span that named it, None when nothing did."""

    value: str
    span: Span
    label: Span | None
    rank: int = 0
    extra: str = ""


def line_of(row: Row) -> Line:
    """Join a row's boxes: directly when they touch, else with two spaces."""
    raw, spots, before = "", list[tuple[TextBox, int] | None](), None
    for box in row.boxes:
        if before is not None:
            gap = box.left - before.right
            glue = "" if gap < 0.25 * min(box.height, before.height) else "  "
            raw += glue
            spots += [None] * len(glue)
        raw += box.text
        spots += [(box, at) for at in range(len(box.text))]
        before = box
    return Line(raw, fold(raw), tuple(spots))


Parser = Callable[[Line, int, int], T | None]


def beside(
    page: Page, lines: tuple[Line, ...], label: re.Pattern[str], stop: Callable[[str], int | None], parse: Parser[T]
) -> Iterator[tuple[Span, T, bool]]:
    """What `parse` makes of the words right of each label, else of those under it: (label, value, whether under it).

    `stop` gives where in the rest of the line another label begins.
    """
    for at, line in enumerate(lines):
        for match in label.finditer(line.text):
            named = line.span(match.start(), match.end())
            rest = line.text[match.end() :]
            halt = stop(rest)
            value = parse(line, match.end(), len(line.text) if halt is None else match.end() + halt)
            if value is not None:
                yield named, value, False
                continue
            under = _under(page, lines, at, named)
            if under is None:
                continue
            halt = stop(under.text)
            value = parse(under, 0, len(under.text) if halt is None else halt)
            if value is not None:
                yield named, value, True


def _under(page: Page, lines: tuple[Line, ...], at: int, label: Span) -> Line | None:
    """The words under a label that has none beside it: the box that starts where it starts, or lies right under it."""
    box, first, last = label.parts[0]
    left = _x_of(box, first)
    right = _x_of(box, last - 1)
    for row in page.rows[at + 1 : at + 1 + BELOW_MAX_ROWS]:
        for other in row.boxes:
            deep = (page.level(other) - page.level(box)) / max(box.height, other.height)
            starts = abs(other.left - left) < 1.2 * box.height
            covers = other.left < right and other.right > left and other.width < 12 * other.height
            if 0.4 < deep < BELOW_MAX_HEIGHTS and (starts or covers):
                if not _VALUE.search(other.text):
                    return None
                return line_of(Row(tuple(b for b in row.boxes if b.left >= other.left - 1)))
    return None


def _x_of(box: TextBox, index: int) -> float:
    """Left end of a character in pixels."""
    if not box.cuts:
        return box.left + (box.right - box.left) * index / max(1, len(box.text))
    half = 0.5 / max(1, len(box.text))
    return box.at(max(0.0, box.cuts[index] - half))[0]
