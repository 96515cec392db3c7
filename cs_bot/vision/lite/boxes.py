"""Lines of text with their place: boxes, the rows they form, the page they make up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median

Point = tuple[float, float]
Rect = tuple[int, int, int, int]


@dataclass(frozen=True)
class TextBox:
    """One line that the OCR found. Lengths are pixels of the picture that was read.

    `quad` runs clockwise from the line's own top left corner. `cuts` has one number a character of `text`: the centre
    of that character along the line, 0 at its left end and 1 at its right; empty when the OCR gave none.
    """

    text: str
    score: float
    quad: tuple[Point, Point, Point, Point]
    cuts: tuple[float, ...] = ()

    @property
    def left(self) -> float:
        return min(x for x, _ in self.quad)

    @property
    def right(self) -> float:
        return max(x for x, _ in self.quad)

    @property
    def top(self) -> float:
        return min(y for _, y in self.quad)

    @property
    def bottom(self) -> float:
        return max(y for _, y in self.quad)

    @cached_property
    def width(self) -> float:
        """Along the line."""
        (x0, y0), (x1, y1) = self.quad[0], self.quad[1]
        return float(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)

    @cached_property
    def height(self) -> float:
        """Across the line."""
        (x0, y0), (x1, y1) = self.quad[0], self.quad[3]
        return float(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)

    @property
    def centre(self) -> Point:
        return sum(x for x, _ in self.quad) / 4, sum(y for _, y in self.quad) / 4

    @property
    def rect(self) -> Rect:
        return round(self.left), round(self.top), round(self.right), round(self.bottom)

    def at(self, t: float) -> Point:
        """The point of the line's middle at `t` (0 left end, 1 right end; may lie outside)."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.quad
        left, right = ((ax + dx) / 2, (ay + dy) / 2), ((bx + cx) / 2, (by + cy) / 2)
        return left[0] + (right[0] - left[0]) * t, left[1] + (right[1] - left[1]) * t

    def moved(self, dx: float, dy: float) -> "TextBox":
        """The same line, shifted."""
        a, b, c, d = ((x + dx, y + dy) for x, y in self.quad)
        return replace(self, quad=(a, b, c, d))


@dataclass(frozen=True)
class Row:
    """Boxes side by side on one line of the page, left to right."""

    boxes: tuple[TextBox, ...]

    @property
    def text(self) -> str:
        return "  ".join(box.text for box in self.boxes)

    @property
    def height(self) -> float:
        return median(box.height for box in self.boxes)


@dataclass(frozen=True)
class Page:
    """Everything that was read on one upright picture."""

    width: int
    height: int
    boxes: tuple[TextBox, ...]
    slope: float = 0.0  # rise of the text lines per pixel to the right
    rows: tuple[Row, ...] = field(default=())

    @property
    def line_height(self) -> float:
        """Median height of a line in pixels; 1 on an empty page."""
        return median(box.height for box in self.boxes) if self.boxes else 1.0

    def level(self, box: TextBox) -> float:
        """How far down the page a box sits, measured across the text lines."""
        x, y = box.centre
        return y - self.slope * x


def page_of(width: int, height: int, boxes: Iterable[TextBox]) -> Page:
    """Group boxes into rows, whatever the slope of the page."""
    kept = tuple(boxes)
    slope = _slope(kept)
    bare = Page(width, height, kept, slope)
    return replace(bare, rows=_rows(bare, sorted(kept, key=bare.level)))


def _slope(boxes: Sequence[TextBox]) -> float:
    slopes = []
    for box in boxes:
        (x0, y0), (x1, y1) = box.quad[0], box.quad[1]
        if box.width > 4 * box.height and x1 > x0:
            slopes.append((y1 - y0) / (x1 - x0))
    return median(slopes) if len(slopes) >= 3 else 0.0


def _rows(page: Page, ordered: Sequence[TextBox]) -> tuple[Row, ...]:
    """Boxes join a row when they overlap its level and don't lie over one of its boxes."""
    rows: list[list[TextBox]] = []
    for box in ordered:
        for row in reversed(rows[-4:]):
            if all(_beside(page, box, other) for other in row):
                row.append(box)
                break
        else:
            rows.append([box])
    return tuple(Row(tuple(sorted(row, key=lambda b: b.left))) for row in rows)


def _beside(page: Page, a: TextBox, b: TextBox) -> bool:
    """Whether two boxes share a line: a small sign may hang on the base line of a large number."""
    apart = abs(page.level(a) - page.level(b))
    over = min(a.right, b.right) - max(a.left, b.left)
    near = apart < 0.5 * min(a.height, b.height) or apart < 0.3 * max(a.height, b.height)
    return near and over < 0.5 * min(a.width, b.width)
