"""How a query lies on a product picture: matched key points, and the one projection that most of them agree on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cs_bot.knowledge.likeness.extract import DESCRIPTOR, Descriptors
from cs_bot.knowledge.likeness.pixels import Plane, opencv

MIN_INLIERS = 8
RATIO = 0.85  # a match must be this much nearer than the second nearest (Lowe 2004, section 7.1)
REACH = 4.0  # raster pixels that an inlier may be off
SCALES = (0.12, 6.0)  # a product shown smaller or larger than this is not looked for
SKEW = 2.6  # ... nor one stretched more than this in one direction

REFINEMENTS = 25  # steps at most

Matrix = NDArray[np.float64]


class Parts(NamedTuple):
    """Key points of a query and their descriptors."""

    points: Plane
    descriptors: Descriptors


class Alignment(NamedTuple):
    """The 3 x 3 projection from query to product raster, and how many key points agree with it."""

    matrix: Matrix
    inliers: int


def mirrored(parts: Parts, width: int) -> Parts:
    """The key points that the picture flipped left to right would have, without looking for them again.

    In the frame of a key point's own orientation a flip reverses the four rows of its descriptor and the sense of
    the eight directions.
    """
    cells = parts.descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    turned = np.concatenate((cells[..., :1], cells[..., :0:-1]), axis=3)
    points = parts.points.copy()
    points[:, 0] = (width - 1) - points[:, 0]
    return Parts(points, np.ascontiguousarray(turned).reshape(-1, DESCRIPTOR))


def align(query: Parts, item: Parts, size: tuple[int, int]) -> Alignment | None:
    """Lay the query on the product picture; `size` is (width, height) of the query's raster. None: they don't fit."""
    if min(len(query.points), len(item.points)) < MIN_INLIERS:
        return None
    left, right = _matches(query.descriptors, item.descriptors)
    if len(left) < MIN_INLIERS:
        return None
    cv2 = opencv()
    source, target = query.points[left], item.points[right]
    matrix, good = cv2.findHomography(source, target, cv2.RANSAC, REACH, maxIters=1000, confidence=0.995)
    if matrix is None or not _plausible(matrix, size):
        return None
    inliers = len(np.unique(np.round(target[good.ravel() > 0]), axis=0))
    return Alignment(matrix, inliers) if inliers >= MIN_INLIERS else None


def refined(matrix: Matrix, query: Plane, item: Plane) -> Matrix | None:
    """The projection moved until the grey pictures themselves fit best; None when that leads nowhere.

    Enhanced correlation coefficient (Evangelidis and Psarakis 2008): a change of brightness does not matter to it.
    """
    cv2 = opencv()
    halves = np.diag([0.5, 0.5, 1.0])
    small = [cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for picture in (item, query)]
    start = halves @ np.linalg.inv(matrix) @ np.linalg.inv(halves)
    start = (start / start[2, 2]).astype(np.float32)
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, REFINEMENTS, 1e-4)
    try:
        _, found = cv2.findTransformECC(small[0], small[1], start, cv2.MOTION_HOMOGRAPHY, until, None, 3)
        moved: Matrix = np.linalg.inv(halves) @ np.linalg.inv(found.astype(np.float64)) @ halves
    except (cv2.error, np.linalg.LinAlgError):  # it did not converge
        return None
    return moved if _plausible(moved, (query.shape[1], query.shape[0])) else None


def _matches(query: Descriptors, item: Descriptors) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the key points that are clearly each other's nearest."""
    cv2 = opencv()
    a, b = query.astype(np.float32), item.astype(np.float32)
    apart, order = cv2.batchDistance(a, b, cv2.CV_32F, normType=cv2.NORM_L2SQR, K=2)
    _, back = cv2.batchDistance(b, a, cv2.CV_32F, normType=cv2.NORM_L2SQR, K=1)
    best = order[:, 0]
    clear = (apart[:, 0] < RATIO**2 * apart[:, 1]) & (back[best, 0] == np.arange(len(a)))
    return np.flatnonzero(clear), best[clear]


def _plausible(matrix: Matrix, size: tuple[int, int]) -> bool:
    """Whether a projection is one that a picture can go through: not folded, not mirrored, not stretched to a line."""
    width, height = size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
    lifted = np.c_[corners, np.ones(4)] @ matrix.T
    if not np.isfinite(lifted).all() or (lifted[:, 2] <= 1e-6).any():
        return False
    quad = lifted[:, :2] / lifted[:, 2:]
    edges = np.roll(quad, -1, axis=0) - quad
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    if (turns <= 0).any():
        return False
    lengths = np.linalg.norm(edges, axis=1) / np.array([width, height, width, height])
    return bool(SCALES[0] <= lengths.min() and lengths.max() <= SCALES[1] and lengths.max() <= SKEW * lengths.min())
