"""Whether two aligned pictures show the same thing, block by block: pattern, colour, and where they disagree."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cs_bot.knowledge.likeness.align import Matrix
from cs_bot.knowledge.likeness.pixels import CELL, Pixels, Plane, Raster, opencv

# A block is 2 x 2 cells, 20 pixels square; blocks overlap by half.
SHIFTS = tuple((dx, dy) for dy in (-2, 0, 2) for dx in (-2, 0, 2))  # a block may lie this far off, pixels
NOISE = 5.0  # grey levels of texture that compression may add or take
GAIN = (0.55, 1.8)  # how much brighter or darker the whole picture may be taken to be
LIFT = 45.0  # ... and how many levels lighter
AS_IT_WAS = (4.0, 0.5)  # levels, share of the blocks: when so many agree, the brightness was not changed
PATTERN_BAD = 0.45  # correlation below which a block shows another pattern
COLOUR_BAD = 11.0  # difference of a block's colour (CIE a, b) that lighting does not make
LIGHT_BAD = 16.0  # ... and of its lightness (CIE L, 0..100)

STAINS = (20, 36)  # levels of 255 that a pixel is off, in the channel farthest off
CORNER = 14  # pixels
EMPTY = 0.2  # weight of a block below which nothing is drawn in it
OVERLAY = 0.25  # share of the picture that a banner may cover


@dataclass(frozen=True)
class Agreement:
    """How an aligned query agrees with a product picture.

    `seen` is the share of the product picture that the query shows, weighted by what is drawn there; `pattern` the
    mean correlation of the blocks with texture; `colour` the 90th percentile of the blocks' colour difference (CIE
    a, b); `pattern_patch` and `colour_patch` the largest connected patch of disagreeing blocks, in blocks without
    overlap; `bad` the share of disagreeing blocks; `tone` the gain that made the query as bright as the product;
    `stain` and `speck` the largest patch of pixels that are off and far off (STAINS), in pixels; `detail` the
    pixels that the product's longest side has in the poorer picture.
    """

    seen: float
    pattern: float
    colour: float
    pattern_patch: float
    colour_patch: float
    bad: float
    tone: float
    stain: int
    speck: int
    detail: float


class _Sums(NamedTuple):
    """Mean and deviation of each block."""

    mean: Plane
    deviation: Plane


def compare(query: Raster, item: Raster, matrix: Matrix) -> Agreement | None:
    """Lay the query on the product picture with `matrix` and compare block by block; None when they hardly overlap."""
    cv2 = opencv()
    height, width = item.pixels.shape[:2]
    warped = cv2.warpPerspective(query.pixels, matrix, (width, height), flags=cv2.INTER_LINEAR)
    ground = np.full(query.pixels.shape[:2], 255, np.uint8)
    ground[[0, 1, -2, -1]] = 0
    ground[:, [0, 1, -2, -1]] = 0
    shown = cv2.warpPerspective(ground, matrix, (width, height), flags=cv2.INTER_LINEAR) > 250
    valid = _blocks(cv2, shown.astype(np.float32)) > 0.97
    weight = _weight(cv2, item.pixels)
    if valid.sum() < 9:
        return None
    coarse = _coarse(query, item, matrix)
    blur = 1.4 + 0.5 * (coarse - 1.0)
    ours = cv2.GaussianBlur(item.pixels, (0, 0), blur).astype(np.float32)
    theirs = cv2.GaussianBlur(warped, (0, 0), blur).astype(np.float32)
    gain, lift = _tone(_blocks(cv2, _grey(cv2, theirs)), _blocks(cv2, _grey(cv2, ours)), valid)
    toned = theirs * gain + lift
    toned = np.where((theirs >= 250) & (ours > toned), ours, toned)  # clipped: it was brighter than can be seen
    toned = np.where((theirs <= 4) & (ours < toned), ours, toned)
    correlation, textured = _pattern(cv2, _grey(cv2, ours), _grey(cv2, toned))
    tint, light = _colour(cv2, ours, toned)
    pattern_bad = valid & (correlation < PATTERN_BAD)
    colour_bad = valid & ((tint > COLOUR_BAD) | (light > LIGHT_BAD))
    laid_over = _laid_over(cv2, pattern_bad | colour_bad, weight)
    valid, pattern_bad, colour_bad = valid & ~laid_over, pattern_bad & ~laid_over, colour_bad & ~laid_over
    look = textured & valid
    stain, speck = _stains(cv2, ours, toned, _inside(cv2, shown, laid_over))
    return Agreement(
        seen=float(weight[valid].sum() / max(1e-6, float(weight.sum()))),
        pattern=float(correlation[look].mean()) if look.any() else 1.0,
        colour=float(np.percentile(tint[valid], 90)),
        pattern_patch=_largest(cv2, pattern_bad) / 4,
        colour_patch=_largest(cv2, colour_bad) / 4,
        bad=float((pattern_bad | colour_bad)[valid].mean()),
        tone=gain,
        stain=stain,
        speck=speck,
        detail=max(height, width) / coarse,
    )


def _blocks(cv2: Any, plane: Plane) -> Plane:
    """Mean of each block."""
    height, width = plane.shape[:2]
    cells = cv2.resize(plane, (width // CELL, height // CELL), interpolation=cv2.INTER_AREA)
    return np.asarray((cells[1:, 1:] + cells[1:, :-1] + cells[:-1, 1:] + cells[:-1, :-1]) / 4, np.float32)


def _grey(cv2: Any, rgb: Plane) -> Plane:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)


def _coarse(query: Raster, item: Raster, matrix: Matrix) -> float:
    """Pixels of the product's raster to one of the poorer of the two pictures, 1 or more."""
    scale = float(np.sqrt(max(1e-6, abs(np.linalg.det(matrix[:2, :2])))))
    return max(1.0, scale / query.sharpness, 1 / item.sharpness)


def _tone(query: Plane, item: Plane, valid: NDArray[np.bool_]) -> tuple[float, float]:
    """Gain and lift that bring the query's brightness to the product's, fitted to the blocks that agree best."""
    a, b = query[valid], item[valid]
    keep = (a < 248) & (a > 6)
    gain, lift = 1.0, 0.0
    if keep.any() and float((np.abs(a - b)[keep] <= AS_IT_WAS[0]).mean()) >= AS_IT_WAS[1]:
        return gain, lift
    for _ in range(4):
        if keep.sum() < 6:
            break
        x, y = a[keep], b[keep]
        spread = float(((x - x.mean()) ** 2).sum())
        gain = float(((x - x.mean()) * (y - y.mean())).sum() / spread) if spread > 25.0 * len(x) else 1.0
        gain = min(GAIN[1], max(GAIN[0], gain))
        lift = min(LIFT, max(-LIFT, float(np.median(y - gain * x))))
        off = np.abs(a * gain + lift - b)
        keep = (a < 248) & (a > 6) & (off <= max(4.0, float(np.percentile(off, 75))))
    return gain, lift


def _pattern(cv2: Any, ours: Plane, theirs: Plane) -> tuple[Plane, NDArray[np.bool_]]:
    """Best correlation of each block over small shifts, and which blocks have texture at all."""
    mean, square = _blocks(cv2, ours), _blocks(cv2, ours * ours)
    variance = np.maximum(square - mean * mean, 0)
    best = np.full(mean.shape, -1.0, np.float32)
    other = np.zeros(mean.shape, np.float32)
    for dx, dy in SHIFTS:
        moved = np.roll(theirs, (dy, dx), axis=(0, 1)) if dx or dy else theirs
        there = _blocks(cv2, moved)
        spread = np.maximum(_blocks(cv2, moved * moved) - there * there, 0)
        both = _blocks(cv2, ours * moved) - mean * there
        alike = (2 * both + NOISE**2) / (variance + spread + NOISE**2)  # 1 - normalised squared difference
        better = alike > best
        best, other = np.where(better, alike, best), np.where(better, spread, other)
    return best, np.maximum(variance, other) > (2 * NOISE) ** 2


def _colour(cv2: Any, ours: Plane, theirs: Plane) -> tuple[Plane, Plane]:
    """Difference of each block's mean colour in CIE Lab: of (a, b), and of L."""
    a, b = (cv2.cvtColor(_blocks(cv2, rgb).clip(0, 255) / 255, cv2.COLOR_RGB2Lab) for rgb in (ours, theirs))
    return np.linalg.norm(a[:, :, 1:] - b[:, :, 1:], axis=2), np.abs(a[:, :, 0] - b[:, :, 0])


def _weight(cv2: Any, item: Pixels) -> Plane:
    """What is drawn in each block: its texture and how far its colour is from the picture's border."""
    border = np.concatenate([item[:4].reshape(-1, 3), item[-4:].reshape(-1, 3), item[:, :4].reshape(-1, 3)])
    ground = np.broadcast_to(np.median(border, axis=0).astype(np.uint8), item.shape)
    red, green, blue = cv2.split(cv2.absdiff(item, np.ascontiguousarray(ground)))
    far = cv2.max(cv2.max(red, green), blue).astype(np.float32)
    grey = cv2.cvtColor(item, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = _blocks(cv2, grey)
    texture = np.sqrt(np.maximum(_blocks(cv2, grey * grey) - mean * mean, 0))
    return np.asarray(np.minimum(1.0, (_blocks(cv2, far) + texture) / 60.0) + 0.02, np.float32)


def _stains(cv2: Any, ours: Plane, theirs: Plane, inside: NDArray[np.bool_]) -> list[int]:
    """Pixels in the largest patch that is off by each of STAINS, however both pictures are moved by two pixels."""
    a, b = (np.clip(plane, 0, 255).astype(np.uint8) for plane in (ours, theirs))
    near = np.ones((5, 5), np.uint8)
    off = np.zeros(a.shape, np.uint8)
    for x, y in ((a, b), (b, a)):
        off = cv2.max(off, cv2.max(cv2.subtract(x, cv2.dilate(y, near)), cv2.subtract(cv2.erode(y, near), x)))
    red, green, blue = cv2.split(off)
    most = np.where(inside, cv2.max(cv2.max(red, green), blue), 0)
    return [_largest(cv2, most > level) for level in STAINS]


def _laid_over(cv2: Any, bad: NDArray[np.bool_], weight: Plane) -> NDArray[np.bool_]:
    """Blocks of banners and stickers: they disagree from the picture's edge inwards, on nothing but empty ground."""
    count, labels, shapes, _ = cv2.connectedComponentsWithStats(bad.astype(np.uint8), connectivity=8)
    rows, columns = bad.shape
    over = np.zeros(bad.shape, bool)
    for n in range(1, count):
        left, top, wide, high, area = shapes[n].tolist()
        at_edge = left == 0 or top == 0 or left + wide == columns or top + high == rows
        here = labels == n
        if at_edge and area <= OVERLAY * bad.size and float(weight[here].max()) <= EMPTY:
            over |= here
    return over


def _largest(cv2: Any, mask: NDArray[np.bool_]) -> int:
    """Size of the largest connected patch."""
    _, _, shapes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return int(max(shapes[1:, cv2.CC_STAT_AREA], default=0))


def _inside(cv2: Any, shown: NDArray[np.bool_], laid_over: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels well inside of what is shown: no banner, none of the corners that chats make round."""
    height, width = shown.shape
    inside = cv2.erode(shown.astype(np.uint8), np.ones((9, 9), np.uint8), borderType=cv2.BORDER_REPLICATE) > 0
    inside &= cv2.resize(laid_over.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) == 0
    for rows in (slice(0, CORNER), slice(height - CORNER, height)):
        inside[rows, :CORNER] = inside[rows, width - CORNER :] = False
    return np.asarray(inside, np.bool_)


__all__ = ["Agreement", "compare"]
