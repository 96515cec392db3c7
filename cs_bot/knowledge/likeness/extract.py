"""What is kept of a product picture: hash, colours, SIFT key points and a small copy to compare with."""

import struct
import zlib
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cs_bot.errors import FeaturesUnreadable
from cs_bot.knowledge.likeness.pixels import Pixels, Plane, Raster, as_pixels, as_raster, opencv

FEATURES_VERSION = 1  # stored features of another version are refused: index the picture again
MAX_POINTS = 300
DESCRIPTOR = 128
HASH_BYTES = 32
COLOURS = (16, 4, 4)  # bins of hue, saturation, value
BINS = COLOURS[0] * COLOURS[1] * COLOURS[2]
CELLS = 6  # key points are taken evenly from CELLS x CELLS parts: a textured backdrop must not take them all
JPEG_QUALITY = 92

_MAGIC = b"CSBL"
_HEAD = struct.Struct("<4sHIIHI")  # magic, version, width, height, key points, bytes of the copy
_CRC = struct.Struct("<I")
_POINT_UNIT = 64.0  # stored key points are in 1/64 pixel

Descriptors = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Features:
    """Features of one picture. At most about 75 kB; `copy` is its raster as JPEG.

    `phash` holds 256 bits of DCT signs, `colours` the square roots of a HSV histogram (0..255 for 0..1), `points` the
    key points in raster pixels (n x 2), strongest first within equal shares of the picture, `descriptors` their
    RootSIFT descriptors (n x 128). `size` is (width, height) of the picture itself.
    """

    size: tuple[int, int]
    phash: NDArray[np.uint8] = field(repr=False)
    colours: NDArray[np.uint8] = field(repr=False)
    points: Plane = field(repr=False)
    descriptors: Descriptors = field(repr=False)
    copy: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """One versioned, checksummed string of bytes to store."""
        points = np.round(self.points * _POINT_UNIT).astype("<u2")
        head = _HEAD.pack(_MAGIC, FEATURES_VERSION, *self.size, len(points), len(self.copy))
        parts = (self.phash, self.colours, points, self.descriptors)
        body = head + b"".join(part.tobytes() for part in parts) + self.copy
        return body + _CRC.pack(zlib.crc32(body))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Features":
        """What `to_bytes` gave. Raises FeaturesUnreadable for anything else, other versions included."""
        if len(data) < _HEAD.size + _CRC.size:
            raise FeaturesUnreadable("stored picture features are cut off: index the picture again")
        magic, version, width, height, count, copied = _HEAD.unpack_from(data)
        if magic != _MAGIC:
            raise FeaturesUnreadable("these bytes are no picture features")
        if version != FEATURES_VERSION:
            raise FeaturesUnreadable(
                f"picture features of version {version}, this is version {FEATURES_VERSION}: index the picture again"
            )
        body = data[: -_CRC.size]
        sizes = (HASH_BYTES, BINS, count * 4, count * DESCRIPTOR, copied)
        if len(body) != _HEAD.size + sum(sizes) or _CRC.unpack(data[-_CRC.size :])[0] != zlib.crc32(body):
            raise FeaturesUnreadable("stored picture features are damaged: index the picture again")
        ends = np.cumsum((_HEAD.size, *sizes)).tolist()
        phash, colours, points, descriptors, copy = (body[a:b] for a, b in pairwise(ends))
        return cls(
            size=(width, height),
            phash=np.frombuffer(phash, np.uint8),
            colours=np.frombuffer(colours, np.uint8),
            points=np.frombuffer(points, "<u2").reshape(-1, 2).astype(np.float32) / np.float32(_POINT_UNIT),
            descriptors=np.frombuffer(descriptors, np.uint8).reshape(-1, DESCRIPTOR),
            copy=copy,
        )

    def raster(self) -> Raster:
        """The small copy, decoded."""
        cv2 = opencv()
        picture = cv2.imdecode(np.frombuffer(self.copy, np.uint8), cv2.IMREAD_COLOR)
        return Raster(np.ascontiguousarray(picture[:, :, ::-1]), min(1.0, max(self.size) / max(picture.shape[:2])))


def features(picture: Image.Image | Pixels) -> Features:
    """Features of a picture: Pillow, or decoded RGB (height x width x 3, uint8). About 30 ms.

    Raises ValueError for another array, MissingExtra without OpenCV.
    """
    pixels = as_pixels(picture)
    raster = as_raster(pixels)
    points, descriptors = key_points(raster.pixels)
    return Features(
        size=(pixels.shape[1], pixels.shape[0]),
        phash=phash256(raster.pixels),
        colours=colour_histogram(raster.pixels),
        points=points,
        descriptors=descriptors,
        copy=_jpeg(raster.pixels),
    )


def phash256(pixels: Pixels) -> NDArray[np.uint8]:
    """256 bits in 32 bytes: signs of the 16 x 16 lowest DCT coefficients of a 64 x 64 grey copy against their median.

    The pHash of the `imagehash` package with hash_size 16.
    """
    cv2 = opencv()
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:16, :16]
    bits: NDArray[np.uint8] = np.packbits(low > np.median(low))
    return bits


def colour_histogram(pixels: Pixels) -> NDArray[np.uint8]:
    """Square roots of the shares of 16 x 4 x 4 HSV bins, 255 for 1; in their space the Hellinger distance is plain."""
    cv2 = opencv()
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(COLOURS), [0, 180, 0, 256, 0, 256]).ravel()
    roots: NDArray[np.uint8] = np.round(np.sqrt(counts / max(1.0, float(counts.sum()))) * 255).astype(np.uint8)
    return roots


def key_points(pixels: Pixels, most: int = MAX_POINTS) -> tuple[Plane, Descriptors]:
    """Up to `most` SIFT key points (n x 2) and their RootSIFT descriptors (n x 128), evenly over the picture."""
    cv2 = opencv()
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    detector = cv2.SIFT_create(nfeatures=4 * most, contrastThreshold=0.02)
    found = detector.detect(grey, None)
    chosen = _evenly(found, grey.shape, most)
    if not chosen:
        return np.zeros((0, 2), np.float32), np.zeros((0, DESCRIPTOR), np.uint8)
    chosen, raw = detector.compute(grey, chosen)
    points = np.array([point.pt for point in chosen], np.float32).clip(0, None)
    root = np.sqrt(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-6))
    return points, np.minimum(np.round(root * 512), 255).astype(np.uint8)


def _evenly(found: Any, shape: tuple[int, ...], most: int) -> list[Any]:
    """The strongest of each part of the picture, then the second strongest of each, and so on."""
    taken: dict[tuple[int, int], int] = {}
    ranked: list[tuple[int, int, Any]] = []
    for point in sorted(found, key=lambda p: (-p.response, p.pt, p.size, p.angle)):
        cell = (int(point.pt[0] * CELLS / shape[1]), int(point.pt[1] * CELLS / shape[0]))
        rank = taken[cell] = taken.get(cell, 0) + 1
        ranked.append((rank, len(ranked), point))
    return [point for _, _, point in sorted(ranked, key=lambda entry: entry[:2])[:most]]


def _jpeg(pixels: Pixels) -> bytes:
    cv2 = opencv()
    how = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", pixels[:, :, ::-1], how)
    assert done
    return bytes(data)
