"""How a picture is divided: seams between photos, things side by side on one backdrop, "VS" and "A | B"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cs_bot.vision.lite.boxes import Page
from cs_bot.vision.lite.colours import Lab, Mask, colour_of, foreground, lab_of
from cs_bot.vision.lite.ocr import Pixels

SIDE = 200  # pixels of the longer side of the copy that is looked at
REACH = 0.045  # colours are averaged over this share of the picture on both sides of a seam
COVERS = 0.8  # over this share of a seam's length ...
STEP = 6.0  # ... the colours on both sides differ by more than this (CIE76) ...
TIPS = 0.08  # ... and at both ends of it, over this share, too
SHARPER = 1.6  # ... and so many times more than along any other line
MOST_CUTS = 3
DEEP = 2  # a part of a divided picture may be divided once more
PART_MIN = 0.22  # no part is narrower than this share of the picture
ALIKE = 2.2  # parts beside each other differ in size no more than this
GAP = 0.025  # free of things over at least this share of the picture
BLOB = 0.025  # a thing covers at least this share of the picture
PAPER, ON_PAGE, PAPER_SHARE = 92.0, 4.0, 0.6  # a page is this light; what differs by more is printed; the rest is bare
WHOLE = "whole"

_VS = re.compile(r"^\W*(?:vs|v\.s|pk|对比|對比|比较|比較)\W*$", re.IGNORECASE)
_TAG = re.compile(r"^\W*([ab12①②左右]|图[12一二]|圖[12一二])\W*$", re.IGNORECASE)

Box = tuple[int, int, int, int]  # left, top, right, bottom


class Evidence(StrEnum):
    """Why a picture is taken for several."""

    SEAM = "seam"  # photos joined
    THINGS = "things"  # things apart on one backdrop, of different colours
    PAIR = "pair"  # the same of like colour: perhaps one product, such as a pair of shoes
    TAGS = "tags"  # "VS", "A" and "B"
    NONE = "none"


@dataclass(frozen=True)
class Part:
    """One part of a picture: where it is, its place in pixels of the upright picture, its colour."""

    where: str
    box: Box
    colour: str | None = None


@dataclass(frozen=True)
class Layout:
    """The parts of a picture (one when it is whole) and what speaks for several."""

    parts: tuple[Part, ...]
    evidence: Evidence = Evidence.NONE
    tagged: bool = False


def layout_of(picture: Pixels, page: Page | None = None) -> Layout:
    """Divide a picture; `page` holds its text."""
    small, scale = _small(picture)
    lab = lab_of(small)
    tagged = page is not None and _tagged(page)
    divided = _divided(lab, (0, 0, small.shape[1], small.shape[0]), DEEP)
    boxes = [box for box in divided if len(divided) == 1 or not _is_page(lab, box)]
    if len(boxes) == 1 < len(divided):  # the photo of a page, with the page around it
        whole = Part(WHOLE, _scaled(boxes[0], scale), _colour_in(lab, boxes[0]))
        return Layout((whole,), Evidence.NONE, tagged)
    if len(boxes) > 1:
        return Layout(_parts([(box, _colour_in(lab, box)) for box in boxes], scale), Evidence.SEAM, tagged)
    mask = foreground(lab)
    things = _things(mask) if mask is not None else []
    if mask is not None and len(things) > 1:
        coloured = [(box, _colour_within(lab, mask, box)) for box in things]
        apart = len({colour for _, colour in coloured}) > 1
        return Layout(_parts(coloured, scale), Evidence.THINGS if apart else Evidence.PAIR, tagged)
    box = _bounds(mask) if mask is not None else (0, 0, small.shape[1], small.shape[0])
    whole = Part(WHOLE, _scaled(box, scale), colour_of(lab, mask))
    return Layout((whole,), Evidence.TAGS if tagged else Evidence.NONE, tagged)


def _small(picture: Pixels) -> tuple[Pixels, float]:
    height, width = picture.shape[:2]
    scale = max(1.0, max(height, width) / SIDE)
    cv2 = import_module("cv2")
    size = max(1, round(width / scale)), max(1, round(height / scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale


def _tagged(page: Page) -> bool:
    texts = [box.text.strip() for box in page.boxes]
    tags = {match.group(1).lower() for text in texts if (match := _TAG.match(text))}
    return any(_VS.match(text) for text in texts) or len(tags) > 1


def _divided(lab: Lab, box: Box, deep: int) -> list[Box]:
    """The parts of a box along its seams, in reading order; the box alone when it has none."""
    left, top, right, bottom = box
    part = lab[top:bottom, left:right]
    rows = _cuts(part.transpose(1, 0, 2)) if deep else ()
    columns = _cuts(part) if deep and not rows else ()
    if rows:
        edges = [top, *(top + cut for cut in rows), bottom]
        boxes = [(left, a, right, b) for a, b in pairwise(edges)]
    elif columns:
        edges = [left, *(left + cut for cut in columns), right]
        boxes = [(a, top, b, bottom) for a, b in pairwise(edges)]
    else:
        return [box]
    return sorted((one for part in boxes for one in _divided(lab, part, deep - 1)), key=lambda one: (one[1], one[0]))


def _cuts(lab: Lab) -> tuple[int, ...]:
    """Columns where a straight seam divides the picture into parts of like width; a band counts once, in its middle."""
    height, width = lab.shape[:2]
    reach = max(2, round(REACH * width))
    if height < 24 or width < 40:
        return ()
    sums = np.concatenate([np.zeros((height, 1, 3)), np.cumsum(lab, axis=1)], axis=1)
    means = (sums[:, reach:] - sums[:, :-reach]) / reach  # of the columns [x, x + reach)
    steps = np.linalg.norm(means[:, reach:] - means[:, :-reach], axis=2)  # across the seam at x + reach
    least = np.percentile(steps, 100 * (1 - COVERS), axis=0)
    tip = max(2, round(TIPS * height))
    for end in (means[:tip].mean(axis=0), means[-tip:].mean(axis=0)):  # a thing's straight edge ends before the border
        least = np.minimum(least, np.linalg.norm(end[reach:] - end[:-reach], axis=1))
    cuts = [place + reach for place in _peaks(least, round(1.5 * reach))]
    widths = np.diff([0, *sorted(cuts), width])
    if not cuts or widths.min() < PART_MIN * width or widths.max() > ALIKE * widths.min():
        return ()
    return tuple(sorted(cuts))


def _peaks(score: NDArray[np.floating], apart: int) -> list[int]:
    """The highest places that stand clearly above all others; none when there are too many or none is clear."""
    left = np.array(score, dtype=np.float32)
    places: list[int] = []
    heights: list[float] = []
    for _ in range(MOST_CUTS + 1):
        place = int(left.argmax())
        places.append(place)
        heights.append(float(left[place]))
        left[max(0, place - apart) : place + apart + 1] = 0
    for count in range(1, MOST_CUTS + 1):
        if heights[count - 1] > max(STEP, SHARPER * heights[count]):
            return places[:count]
    return []


def _is_page(lab: Lab, box: Box) -> bool:
    """Whether a part is the page beside a photo: lines of text and buttons, all flat and wide, on white."""
    left, top, right, bottom = box
    part = lab[top:bottom, left:right]
    ground = np.median(part.reshape(-1, 3), axis=0)
    off = np.linalg.norm(part - ground, axis=2) > ON_PAGE
    if ground[0] < PAPER or np.hypot(*ground[1:]) > ON_PAGE or off.mean() > 1 - PAPER_SHARE:
        return False
    cv2 = import_module("cv2")
    joined = cv2.dilate(off.astype(np.uint8), np.ones((1, max(3, round(GAP * off.shape[1]))), np.uint8))
    _, _, shapes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    flat = [w > 2.5 * h for _, _, w, h, area in shapes[1:].tolist() if area > 4]
    return len(flat) >= 3 and sum(flat) >= 0.6 * len(flat)


def _colour_in(lab: Lab, box: Box) -> str | None:
    """The colour of what stands out in a part; the seam itself is left out."""
    left, top, right, bottom = box
    inset = max(1, round(0.03 * min(right - left, bottom - top)))
    part = lab[top + inset : bottom - inset, left + inset : right - inset]
    return colour_of(part, foreground(part)) if min(part.shape[:2]) >= 12 else None


def _things(mask: Mask) -> list[Box]:
    """Things of like size that lie apart, in reading order; pieces above each other count as one thing."""
    cv2 = import_module("cv2")
    height, width = mask.shape
    reach = max(1, round(GAP * max(height, width)))
    joined = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8))
    count, labels, shapes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    sizes = {n: int((mask & (labels == n)).sum()) for n in range(1, count)}
    large = [n for n, size in sizes.items() if size >= BLOB * mask.size]
    if not 2 <= len(large) <= 6 or max(sizes[n] for n in large) > ALIKE * 1.5 * min(sizes[n] for n in large):
        return []
    boxes = [tuple(int(v) for v in shapes[n][:4]) for n in large]
    found = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    return sorted(found, key=lambda box: (round(3 * (box[1] + box[3]) / (2 * height)), box[0]))


def _colour_within(lab: Lab, mask: Mask, box: Box) -> str | None:
    left, top, right, bottom = box
    return colour_of(lab[top:bottom, left:right], mask[top:bottom, left:right])


def _bounds(mask: Mask) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _parts(found: Sequence[tuple[Box, str | None]], scale: float) -> tuple[Part, ...]:
    names = _where([box for box, _ in found])
    return tuple(Part(name, _scaled(box, scale), colour) for name, (box, colour) in zip(names, found, strict=True))


def _where(boxes: Sequence[Box]) -> list[str]:
    """Left and right or top and bottom for two, numbers in reading order for more."""
    if len(boxes) != 2:
        return [str(n) for n in range(1, len(boxes) + 1)]
    (ax, ay, bx, by), (cx, cy, dx, dy) = boxes
    if abs(cx + dx - ax - bx) >= abs(cy + dy - ay - by):
        return ["left", "right"] if ax + bx <= cx + dx else ["right", "left"]
    return ["top", "bottom"] if ay + by <= cy + dy else ["bottom", "top"]


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(v * scale) for v in box)
    return left, top, right, bottom
