"""Ground truth: where each field stands on a picture, how much of it can be seen, and the JSON Lines file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

Box = tuple[float, float, float, float]  # left, top, right, bottom
Visible = Literal["whole", "part", "none"]
FIELDS = ("order_id", "amount", "currency", "status", "status_text", "order_time")
SHOWN_AS = {"currency": "amount", "status_text": "status"}  # fields that stand in the same spot as another one
RANK: dict[str, int] = {"none": 0, "part": 1, "whole": 2}

# A browser's character box is taller than the glyph: the share of it that surely holds no ink, and the share of it
# that must be hidden before nothing can be read.
WHOLE_INSET, NONE_INSET = 0.08, 0.3


@dataclass(frozen=True)
class Mark:
    """One place where a field is printed. `alt` is text that only lets a reader guess it (an equal subtotal)."""

    field: str
    chars: tuple[Box, ...]  # one box a character, in pixels of the page
    alt: bool = False


@dataclass(frozen=True)
class Layout:
    """How a page lies on a picture: `matrix` maps page pixels to picture pixels, `covers` hide parts of the page.

    `frames` are the matrices and sizes of the pictures on the way here: what one of them cut off stays cut off.
    """

    size: tuple[int, int]  # of the picture
    marks: tuple[Mark, ...]
    covers: tuple[Box, ...] = ()  # in pixels of the page
    matrix: np.ndarray[Any, np.dtype[np.float64]] = field(default_factory=lambda: np.eye(3))
    frames: tuple[tuple[np.ndarray[Any, Any], tuple[int, int]], ...] = ()

    def moved(self, matrix: np.ndarray[Any, Any], size: tuple[int, int]) -> "Layout":
        """The layout after another mapping of the picture's pixels onto a picture of `size`."""
        frames = (*self.frames, (self.matrix, self.size))
        return replace(self, matrix=matrix @ self.matrix, size=size, frames=frames)

    def covered(self, boxes: Iterable[Box]) -> "Layout":
        """The layout with more of the page hidden."""
        return replace(self, covers=self.covers + tuple(boxes))

    def mains(self, name: str) -> list[Mark]:
        """The places where the field itself is printed."""
        return [mark for mark in self.marks if mark.field == name and not mark.alt]


def project(matrix: np.ndarray[Any, Any], points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Points of shape (n, 2) through a 3x3 homography."""
    lifted = np.c_[points, np.ones(len(points))] @ matrix.T
    return lifted[:, :2] / lifted[:, 2:]


def _samples(box: Box, inset: float) -> np.ndarray[Any, Any]:
    left, top, right, bottom = box
    height = bottom - top
    xs = np.linspace(left + 0.08 * (right - left), right - 0.08 * (right - left), 5)
    ys = np.linspace(top + inset * height, bottom - inset * height, 7)
    return np.array([(x, y) for x in xs for y in ys])


def seen(layout: Layout, points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which points of the page can be seen on the picture (booleans)."""
    inside = np.ones(len(points), dtype=bool)
    for matrix, (width, height) in (*layout.frames, (layout.matrix, layout.size)):
        mapped = project(matrix, points)
        inside &= (mapped >= 0).all(axis=1) & (mapped[:, 0] <= width) & (mapped[:, 1] <= height)
    for left, top, right, bottom in layout.covers:
        hidden = (points[:, 0] >= left) & (points[:, 0] <= right) & (points[:, 1] >= top) & (points[:, 1] <= bottom)
        inside &= ~hidden
    return inside


def mark_visible(layout: Layout, mark: Mark) -> Visible:
    """Whether all, some or none of a mark's ink can be seen."""
    if all(seen(layout, _samples(box, WHOLE_INSET)).all() for box in mark.chars):
        return "whole"
    if any(seen(layout, _samples(box, NONE_INSET)).any() for box in mark.chars):
        return "part"
    return "none"


def visibility(layout: Layout, name: str) -> Visible:
    """The best of a field's places; a place that only hints at it counts as `part` at most."""
    shown = SHOWN_AS.get(name, name)
    best: Visible = "none"
    for mark in layout.marks:
        if mark.field == shown:
            state = mark_visible(layout, mark)
            state = "part" if mark.alt and state == "whole" else state
            best = max(best, state, key=RANK.__getitem__)
    return best


def truth_line(
    file: str, spec: dict[str, Any], variant: str, fields: dict[str, str | None], layout: Layout
) -> dict[str, Any]:
    """One line of truth.jsonl."""
    visible = {name: "none" if fields[name] is None else visibility(layout, name) for name in FIELDS}
    return {"file": file, "variant": variant, **spec, "fields": fields, "visible": visible}


def append(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Add lines to a truth file."""
    with path.open("a", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def load(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a truth file; a torn last line (an interrupted run) is left out."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return
