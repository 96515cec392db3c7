"""Where a screenshot holds pictures: rectangles that are neither page colour nor lines of text."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs_bot.knowledge.likeness.pixels import Box, Pixels, opencv

MAX_REGIONS = 4
WIDTH = 270  # the page is looked at in this width, pixels
PAGE_SHARE = 0.06  # a flat colour over more than this share of the picture is page, not picture
COLOUR_REACH = 12  # from a page colour, in the channel farthest off
TEXT = 0.045  # what is thinner than this share of the width is text
LEAST = 0.15  # shortest side of a picture as a share of the width
FILLED = 0.5  # a picture fills at least this share of its rectangle
WHOLE = 0.9  # a rectangle over more than this share is the whole picture
FLAT = 6.0  # standard deviation below which a rectangle is a plain patch, such as a speech bubble


def propose_regions(picture: Pixels) -> list[Box]:
    """Rectangles of `picture` (RGB) that may be pictures of their own, largest first, at most MAX_REGIONS."""
    cv2 = opencv()
    height, width = picture.shape[:2]
    factor = WIDTH / width
    if height * factor < 2 or factor > 1:
        factor = 1.0
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    filled = _not_page(cv2, small)
    across = small.shape[1]
    thin = max(3, round(TEXT * across))
    filled = cv2.morphologyEx(filled, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    filled = cv2.morphologyEx(filled, cv2.MORPH_OPEN, np.ones((thin, thin), np.uint8))
    _, _, shapes, _ = cv2.connectedComponentsWithStats(filled, connectivity=4)
    found = []
    for left, top, wide, high, area in shapes[1:].tolist():
        part = small[top : top + high, left : left + wide]
        if (
            min(wide, high) >= LEAST * across
            and area >= FILLED * wide * high
            and wide * high <= WHOLE * small.shape[0] * across
            and float(part.std(axis=(0, 1)).max()) >= FLAT
        ):
            found.append((wide * high, (left, top, left + wide, top + high)))
    ranked = sorted(found, key=lambda entry: (-entry[0], entry[1]))[:MAX_REGIONS]
    return [_outwards(box, factor, width, height) for _, box in ranked]


def _not_page(cv2: Any, small: Pixels) -> NDArray[np.uint8]:
    """Mask of the pixels whose colour is no page colour: a colour that is exactly flat over much of the picture."""
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    plain = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) <= 4
    coarse = (small >> 2).astype(np.int32)[plain]
    counts = np.bincount(coarse[:, 0] << 12 | coarse[:, 1] << 6 | coarse[:, 2], minlength=1)
    page = np.zeros(grey.shape, np.uint8)
    for code in np.flatnonzero(counts >= PAGE_SHARE * grey.size).tolist():
        colour = np.array([code >> 12, code >> 6 & 63, code & 63]) * 4 + 2
        page |= cv2.inRange(small, colour - COLOUR_REACH, colour + COLOUR_REACH)
    return np.asarray(page == 0, np.uint8)


def _outwards(box: tuple[int, int, int, int], factor: float, width: int, height: int) -> Box:
    left, top, right, bottom = (round(side / factor) for side in box)
    return Box(max(0, left), max(0, top), min(width, right), min(height, bottom))
