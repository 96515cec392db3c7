"""A region of a query against one product picture: laid on it, looked at closer where it is small, judged."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cs_bot.knowledge.likeness.align import Alignment, Matrix, Parts, align, mirrored, refined
from cs_bot.knowledge.likeness.compare import compare
from cs_bot.knowledge.likeness.extract import Features, key_points
from cs_bot.knowledge.likeness.judge import Judged, Verdict, judge, nearly
from cs_bot.knowledge.likeness.pixels import Box, Pixels, Raster, as_raster, cut, opencv
from cs_bot.knowledge.likeness.shelf import Near

HASH_NEAR = 60  # bits of 256: perhaps the whole picture again; unlike ones have about 128
SMALL = 0.7  # a product shown this much smaller than it is kept is looked at again, closer
MARGIN = 0.04  # of its size, around the place where the product was found
ENOUGH_SEEN = 0.8  # of the product: with less, what lies around the region is looked at as well
NEARLY_ALL = 0.9  # a place over more than this share of the query is the query

How = Literal["picture", "parts"]


@dataclass(frozen=True)
class View:
    """One region of a query (None: all of it), brought to the size of comparison; `flipped` left to right or not."""

    region: Box | None
    raster: Raster
    parts: Parts
    flipped: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the raster."""
        return self.raster.pixels.shape[1], self.raster.pixels.shape[0]


class Sight(NamedTuple):
    """What a view was found to be of one product picture."""

    verdict: Verdict
    score: float
    how: How
    region: Box | None


def look_at(pixels: Pixels, region: Box | None) -> View | None:
    """The view of a region; None when hardly any of it lies in the picture."""
    part = pixels if region is None else cut(pixels, region)
    if part is None:
        return None
    raster = as_raster(part)
    return View(region, raster, Parts(*key_points(raster.pixels)))


def flip(view: View) -> View:
    """The view left to right."""
    pixels = np.ascontiguousarray(view.raster.pixels[:, ::-1])
    parts = mirrored(view.parts, pixels.shape[1])
    return replace(view, raster=Raster(pixels, view.raster.sharpness), parts=parts, flipped=not view.flipped)


def sight_of(pixels: Pixels, view: View, item: Features, near: Near) -> Sight | None:
    """Compare a view of the query `pixels` with a product picture; None when they have nothing in common."""
    if near.bits <= HASH_NEAR:
        raster = item.raster()
        judged, _ = _judged(view, raster, _whole(view.raster, raster))
        if judged is not None and judged.verdict is Verdict.SAME:
            return Sight(*judged, "picture", view.region)
    parts = Parts(item.points, item.descriptors)
    laid = align(view.parts, parts, view.size)
    if laid is None:
        return None
    raster = item.raster()
    place = _place(pixels, view, laid.matrix, raster)
    if place is not None and _shrunk(place, view, pixels):
        view, laid = _again(pixels, place, view, item) or (view, laid)
    judged, seen = _judged(view, raster, laid.matrix)
    if judged is not None and judged.verdict is Verdict.SAME and view.region is not None and seen < ENOUGH_SEEN:
        around = _again(pixels, _place(pixels, view, laid.matrix, raster, beyond=True), view, item)
        if around is not None:  # what the query shows of the product outside of the region counts as well
            judged, _ = _judged(around[0], raster, around[1].matrix)
    return None if judged is None else Sight(*judged, "parts", place)


def _again(pixels: Pixels, place: Box | None, view: View, item: Features) -> tuple[View, Alignment] | None:
    """A view of another place in the query, laid on the product picture; None when it does not fit."""
    other = look_at(pixels, place)
    if other is None:
        return None
    other = flip(other) if view.flipped else other
    laid = align(other.parts, Parts(item.points, item.descriptors), other.size)
    return None if laid is None else (other, laid)


def _judged(view: View, raster: Raster, matrix: Matrix) -> tuple[Judged | None, float]:
    """The verdict on a projection, or on a better one when the first nearly fits; and how much was seen."""
    agreed = compare(view.raster, raster, matrix)
    judged = judge(agreed) if agreed else None
    if agreed is None or not nearly(agreed) or (judged is not None and judged.verdict is Verdict.SAME):
        return judged, agreed.seen if agreed else 0.0
    cv2 = opencv()
    query, item = (cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY) for picture in (view.raster, raster))
    better = refined(matrix, query, item)
    again = compare(view.raster, raster, better) if better is not None else None
    moved = judge(again) if again else None
    if again is not None and moved is not None and (judged is None or moved.score > judged.score):
        return moved, again.seen
    return judged, agreed.seen


def _whole(query: Raster, item: Raster) -> Matrix:
    """The projection that lays one whole picture on the other."""
    (high, wide), (height, width) = query.pixels.shape[:2], item.pixels.shape[:2]
    matrix: NDArray[np.float64] = np.diag([width / wide, height / high, 1.0])
    return matrix


def _shrunk(place: Box, view: View, pixels: Pixels) -> bool:
    """Whether the view shows the place smaller than a view of its own would."""
    whole = (pixels.shape[1], pixels.shape[0]) if view.region is None else _sides(view.region)
    return max(_sides(place)) < SMALL * max(whole)


def _sides(box: Box) -> tuple[int, int]:
    return box.right - box.left, box.bottom - box.top


def _place(pixels: Pixels, view: View, matrix: Matrix, item: Raster, *, beyond: bool = False) -> Box | None:
    """Where in the query the product picture lies, as far as it is in view (or `beyond`); None: all over it."""
    height, width = item.pixels.shape[:2]
    corners = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)], dtype=np.float64)
    try:
        lifted = corners @ np.linalg.inv(matrix).T
    except np.linalg.LinAlgError:
        return view.region
    if (lifted[:, 2] * lifted[0, 2] <= 0).any():
        return view.region
    points = lifted[:, :2] / lifted[:, 2:]
    wide, high = view.size
    if view.flipped:
        points[:, 0] = wide - points[:, 0]
    whole = Box(0, 0, pixels.shape[1], pixels.shape[0])
    region = view.region or whole
    points = points * np.array([(region.right - region.left) / wide, (region.bottom - region.top) / high])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    limits = whole if beyond else region
    pad = MARGIN * max(right - left, bottom - top)
    box = Box(
        max(limits.left, int(region.left + left - pad)),
        max(limits.top, int(region.top + top - pad)),
        min(limits.right, round(region.left + right + pad)),
        min(limits.bottom, round(region.top + bottom + pad)),
    )
    sides = _sides(box)
    if min(sides) < 1:
        return view.region
    return None if sides[0] * sides[1] > NEARLY_ALL * whole.right * whole.bottom else box
