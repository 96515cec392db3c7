"""Doubts about a value that was read; one is enough to ask instead of trusting it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from cs_bot.vision.lite.boxes import Page, TextBox
from cs_bot.vision.lite.lines import Span
from cs_bot.vision.lite.numbers import more_digits, shapes_of
from cs_bot.vision.lite.ocr import Pixels
from cs_bot.vision.lite.pixels import at_border, beside, covered, line_crop, stroke_free

EDGE, SPLIT, PITCH, COVERED, REREAD, FORMAT = "edge", "split", "pitch", "covered", "reread", "format"
WIDE_GAP = 1.62  # a gap between two digits this many times the usual one may hide a digit
FEW_GAPS, WIDE_GAP_FEW = 6, 1.75  # short numbers: no usual gap to speak of, so the smallest one counts
WIDE_GAP_LETTERS = 1.95  # letters differ in width
EDGE_PITCHES = 0.85  # a number that ends this near the picture's edge, in character pitches, may go on outside
COPY_GAP = (2.6, 9.0)  # a copy button that stands so many pitches behind a number seems to belong to a longer one
FAR_HEIGHTS = 1.2  # a number stands nearer to `label:` than this many line heights
SHORT_OWN = re.compile(r"[A-Z]{0,5}-?\d{4,9}(?:-\d{1,3})?")  # numbers as a shop's own site gives them
LONG_OWN = re.compile(r"[A-Z]{1,5}-?\d{8,26}|\d{20,30}")  # longer than any platform's, so not one cut short
COULD_BE_CUT = {
    "jd": 15
}  # as long as a longer number that lost its end: trusted only on a page that names the platform


@dataclass(frozen=True)
class Evidence:
    """What the guards look at: the upright picture, its page, a reader for one cut-out line."""

    picture: Pixels
    page: Page
    read_line: Callable[[Pixels], str]


def number_guards(evidence: Evidence, span: Span, *, loose: bool) -> tuple[str, ...]:
    """Guards of an order number, but for its format; `loose` when no platform's format fixes its length."""
    fired = []
    if len(span.parts) > 1 or more_digits(span):
        fired.append(SPLIT)
    if wide_gap(span):
        fired.append(PITCH)
    return (*fired, *pixel_guards(evidence, span, whole=True, loose=loose))


def pixel_guards(
    evidence: Evidence, span: Span, *, even: bool = True, whole: bool = False, loose: bool = False
) -> tuple[str, ...]:
    """Guards of any value that consists of digits: at an edge, covered, or read otherwise at a second look.

    `even` as in pixels.covered; `whole` says that no space belongs into the value, `loose` that its length
    tells nothing, so that even a little ink beside it counts.
    """
    fired = set()
    for box, first, last in span.parts:
        part = _part(span, box, first, last)
        if _near_border(evidence.page, box, first, last):
            fired.add(EDGE)
        if at_border(evidence.picture, part):
            fired.add(EDGE)
        near = beside(evidence.picture, part, _room(evidence.page, box, first, last))
        if near in ("solid", "plate") or (loose and near):
            fired.add(COVERED)
        if last - first < 3:
            continue
        if covered(evidence.picture, part, even=even):
            fired.add(COVERED)
        if not fired and _reads_otherwise(evidence, part, whole):
            fired.add(REREAD)
    return tuple(sorted(fired))


def format_guard(value: str, labelled: bool, platforms: tuple[str, ...], formats: Mapping[str, str]) -> tuple[str, ...]:
    """FORMAT fires unless the number has the shape its platform uses, or that of a shop's own site beside a label."""
    shapes = shapes_of(value, formats)
    known = [name for name in platforms if name in formats]
    if known and any(name in shapes for name in known):
        return ()
    if known and not _own_allowed(known):
        return (FORMAT,)
    if any(name != "shopify" and COULD_BE_CUT.get(name) != len(value) for name in shapes):
        return ()
    own = labelled and (SHORT_OWN.fullmatch(value) or LONG_OWN.fullmatch(value))
    return () if own else (FORMAT,)


def far_from_copy(page: Page, number: Span) -> bool:
    """Whether the button behind a number stands so far off that digits may have been erased between them."""
    box, first, last = number.parts[-1]
    if not box.cuts or last - first < 3 or last < len(box.text):
        return False
    pitch = (box.cuts[last - 1] - box.cuts[first]) * box.width / (last - first - 1)
    end = box.at(box.cuts[last - 1])[0] + 0.5 * pitch
    gaps = [other.left - end for row in page.rows if box in row.boxes for other in row.boxes if other.left > end]
    return bool(gaps) and COPY_GAP[0] * pitch < min(gaps) < COPY_GAP[1] * pitch


def far_from_label(page: Page, number: Span, label: Span | None) -> bool:
    """Whether there is room for hidden digits between `label:` and the number, and no column that explains it."""
    if label is None or number.line is not label.line or not number.parts or not label.parts:
        return False
    box, first, _ = number.parts[0]
    before = label.parts[-1][0]
    named = label.line.text[label.end : label.end + 3].strip().startswith(":")
    far = box is not before and first == 0 and named and box.left - before.right > FAR_HEIGHTS * box.height
    return far and not any(
        abs(row.boxes[-1].right - box.right) < 0.6 * box.height for row in page.rows if box not in row.boxes
    )


def line_cut(evidence: Evidence, span: Span) -> tuple[str, ...]:
    """EDGE when the line goes on to an edge behind the value: the rest of it (a time of day) may be cut."""
    box, _, last = span.parts[-1]
    end, first = len(box.text), max(0, min(last, len(box.text)) - 4)
    if last == end:
        return ()
    tail = _part_from(span, box, first, end)
    cut = _near_border(evidence.page, box, first, end) or (tail is not None and at_border(evidence.picture, tail))
    return (EDGE,) if cut else ()


def wide_gap(span: Span) -> bool:
    """Whether two neighbouring characters stand so far apart that a hidden one would fit between them."""
    for box, first, last in span.parts:
        if not box.cuts or last - first < 4:
            continue
        text = box.text[first:last]
        gaps = [(b - a) * box.width for a, b in pairwise(box.cuts[first:last])]
        pairs = list(pairwise(text))
        digits = [gap for gap, (a, b) in zip(gaps, pairs, strict=True) if a.isdigit() and b.isdigit()]
        usual = median(digits) if len(digits) >= 3 else median(gaps)
        few = len(gaps) < FEW_GAPS
        usual = min(gaps) if few else usual
        for gap, (a, b) in zip(gaps, pairs, strict=True):
            limit = WIDE_GAP_FEW if few else WIDE_GAP if (a + b).isdigit() else WIDE_GAP_LETTERS
            if gap > limit * usual:
                return True
    return False


def _own_allowed(platforms: list[str]) -> bool:
    """Platforms on which every shop numbers its orders as it likes."""
    return set(platforms) <= {"wechat", "shopify"}


def _part(span: Span, box: TextBox, first: int, last: int) -> Span:
    """The characters of a span that lie in one box."""
    spots = span.line.spots
    start = next(at for at in range(span.start, span.end) if spots[at] == (box, first))
    return Span(span.line, start, start + last - first)


def _part_from(span: Span, box: TextBox, first: int, last: int) -> Span | None:
    """The characters of a box on the line of a span, None when they are not on it."""
    spots = span.line.spots
    at = next((at for at, spot in enumerate(spots) if spot == (box, first)), None)
    return None if at is None else Span(span.line, at, at + last - first)


def _near_border(page: Page, box: TextBox, first: int, last: int) -> bool:
    """Whether the characters touch the border of the picture, or the line itself lies on it."""
    if box.cuts:
        gaps = [b - a for a, b in pairwise(box.cuts[first:last])]
        pitch = median(gaps) * box.width if gaps else box.height * 0.5
        (x0, _), (x1, _) = box.at(box.cuts[first]), box.at(box.cuts[last - 1])
    else:
        pitch, x0, x1 = box.height * 0.5, box.left, box.right
    room = (0.5 + EDGE_PITCHES) * pitch
    level = 0.06 * box.height
    return min(x0, x1) < room or max(x0, x1) > page.width - room or box.top < level or box.bottom > page.height - level


def _room(page: Page, box: TextBox, first: int, last: int) -> tuple[float, float]:
    """Pixels free of recognised text left and right of some characters of a box."""
    signs = 0.75 * box.height  # about half a wide character and its gap
    pitch = (
        (box.cuts[last - 1] - box.cuts[first]) * box.width / max(1, last - first - 1) if box.cuts else box.height / 2
    )
    most = 2.0 * pitch
    left = (box.cuts[first] - box.cuts[first - 1]) * box.width - signs if first and box.cuts else most
    right = (box.cuts[last] - box.cuts[last - 1]) * box.width - signs if last < len(box.cuts) else most
    if box.cuts:
        left = min(left, box.at(box.cuts[first])[0] - 0.5 * pitch)
        right = min(right, page.width - box.at(box.cuts[last - 1])[0] - 0.5 * pitch)
    for row in page.rows:
        if box in row.boxes:
            for other in row.boxes:
                if other.left >= box.right and last == len(box.text):
                    right = min(right, other.left - box.right - 0.1 * box.height)
                if other.right <= box.left and first == 0:
                    left = min(left, box.left - other.right - 0.1 * box.height)
    return min(most, max(0.0, left)), min(most, max(0.0, right))


def _reads_otherwise(evidence: Evidence, part: Span, whole: bool) -> bool:
    """Whether a second and a third look at the same characters, cut out and freed of strokes, give other ones."""
    crop = line_crop(evidence.picture, part)
    if crop is None:
        return True
    box, first, last = part.parts[0]
    stray = 0 if whole else (first > 0) + (last < len(box.text))  # bits of a currency sign beside the number
    for view in (np.clip(crop, 0, 255).astype(np.uint8), stroke_free(crop)):
        text = evidence.read_line(view)
        if not _same(_bare(part.raw), _bare(text), stray) or (whole and re.search(r"\d\s+\d", text)):
            return True
    return False


def _same(expected: str, got: str, stray: int) -> bool:
    return expected == got or (
        0 < len(got) - len(expected) <= stray and (got.startswith(expected) or got.endswith(expected))
    )


def _bare(text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", text.upper())
