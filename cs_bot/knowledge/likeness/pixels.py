"""Pictures as arrays: one size to compare them at, and OpenCV when it is first needed."""

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cs_bot.errors import MissingExtra

Pixels = NDArray[np.uint8]  # height x width x 3, red first
Plane = NDArray[np.float32]

SIDE = 360  # longest side at which pictures are compared, pixels
CELL = 10  # sides of a raster are whole multiples of this
MIN_SIDE = 8


class Box(NamedTuple):
    """A rectangle in pixels of the picture: from (left, top) up to but without (right, bottom)."""

    left: int
    top: int
    right: int
    bottom: int


class Raster(NamedTuple):
    """A picture brought to the size of comparison. `sharpness` is below 1 when it had to be enlarged for it."""

    pixels: Pixels
    sharpness: float


def opencv() -> Any:
    """The cv2 module; imported here, so that importing this package loads nothing. Raises MissingExtra."""
    try:
        return import_module("cv2")
    except ModuleNotFoundError as missing:
        raise MissingExtra("the picture matcher", "lite") from missing


def as_pixels(picture: Image.Image | Pixels) -> Pixels:
    """RGB pixels of a Pillow picture or of an array, unchanged in size. Raises ValueError for another shape."""
    pixels = np.asarray(picture.convert("RGB")) if isinstance(picture, Image.Image) else np.asarray(picture)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"expected height x width x 3 of uint8 (RGB), not {pixels.shape} of {pixels.dtype}")
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise ValueError(f"a side of {min(pixels.shape[:2])} pixels is too short to compare")
    return pixels


def as_raster(pixels: Pixels) -> Raster:
    """The picture with SIDE pixels on its longest side, whatever it had, and whole cells on the other."""
    height, width = pixels.shape[:2]
    factor = SIDE / max(height, width)
    size = tuple(CELL * max(2, round(side * factor / CELL)) for side in (width, height))
    cv2 = opencv()
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return Raster(np.asarray(cv2.resize(pixels, size, interpolation=way)), min(1.0, 1 / factor))


def cut(pixels: Pixels, box: Box) -> Pixels | None:
    """The part of a picture inside a box; None when too little of the box lies in it."""
    height, width = pixels.shape[:2]
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    part = pixels[top : min(height, int(box[3])), left : min(width, int(box[2]))]
    return np.ascontiguousarray(part) if min(part.shape[:2]) >= MIN_SIDE else None
