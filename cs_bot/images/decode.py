"""Take a picture by its content, or refuse it with a short reason; hand on its pixels and nothing else."""

import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from cs_bot.errors import PictureUnreadable
from cs_bot.images.hashes import bytes_sha256, pixels_sha256
from cs_bot.images.metadata import evidence

MAX_BYTES = 10_000_000
MAX_PIXELS = 25_000_000
MIN_SIDE = 8  # pixels
MAX_SIDE = 20_000  # an order page scrolled to its end is about 1080 x 20000
MAX_RATIO = 40  # such a page from a 640-pixel screen is 1:31; beyond are strips that nobody sends to be read
MAX_SCANS = 100  # of a progressive JPEG; encoders write about 10, and 42 bytes can cost a whole pass over 25 MP
STORED_MEDIA_TYPE = "image/png"

_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}  # MPO: phones' JPEG with extras
_TURNS = {  # EXIF orientation -> what makes it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in JPEG scan data: no stuffed byte, fill byte or restart
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class StoredPicture:
    """A picture as it is kept: `data` is a PNG of all its pixels, upright, RGB, without any metadata.

    `sha256` hashes the original bytes and names the picture; `pixels_sha256` hashes the pixels of `data`.
    `format` (jpeg, png, webp, gif) and `size` (bytes) are the original's; `width` and `height` (pixels) are those of
    `data`. `tags` are words out of `metadata.TAGS`, sorted.
    """

    sha256: str
    pixels_sha256: str
    data: bytes = field(repr=False)
    format: str
    width: int
    height: int
    size: int
    tags: tuple[str, ...]


def accept_picture(data: bytes) -> StoredPicture:
    """Decode what a customer sent: JPEG, PNG, WebP or GIF by content, whatever it was called.

    The header is judged before a pixel is decoded: MAX_BYTES, MAX_PIXELS, sides of MIN_SIDE to MAX_SIDE, MAX_RATIO,
    MAX_SCANS. Orientation is applied, of an animation the first frame is taken, transparency becomes white, any
    colour mode becomes 8-bit RGB by its numbers (colour profiles are dropped, not applied).
    Raises PictureUnreadable with a short reason. One decode at a time per process, so that memory stays bounded:
    for 25 megapixels at most 385 MB above rest (WebP; 220 MB for the other formats).
    """
    with _decoder():
        image = _open(data)
        shape, tags, turn = _FORMATS[str(image.format)], evidence(image, data), _turn(image)
        rgb = _rgb(image)
        del image  # with its decoder: before the next copy is made
        rgb = rgb if turn is None else rgb.transpose(turn)
        pixels = pixels_sha256(rgb)
        return StoredPicture(
            sha256=bytes_sha256(data),
            pixels_sha256=pixels,
            format=shape,
            width=rgb.width,
            height=rgb.height,
            size=len(data),
            tags=tags,
            data=_png(rgb),
        )


def require_picture(data: bytes) -> None:
    """Judge and decode as `accept_picture` does, and keep nothing: for whoever keeps the bytes as they came.

    `pixels_of` makes of those what it makes of a stored picture. Raises PictureUnreadable.
    """
    with _decoder():
        image = _open(data)
        _turn(image)
        _rgb(image)


def resize_for(data: bytes, max_side: int = 1280) -> bytes:
    """A JPEG preview for pages: upright, no side over `max_side` pixels, never enlarged, no metadata.

    Takes an original or a stored picture. Raises PictureUnreadable as `accept_picture` does.
    """
    with _decoder():
        image = _open(data, max_bytes=None)
        turn = _turn(image)
        rgb = _rgb(image)
        del image
        rgb.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        rgb = rgb if turn is None else rgb.transpose(turn)
        out = io.BytesIO()
        rgb.save(out, "JPEG", quality=85)
        return out.getvalue()


def pixels_of(data: bytes) -> Image.Image:
    """The pixels of an original or a stored picture: upright, 8-bit RGB, what is transparent in white.

    Raises PictureUnreadable as `accept_picture` does.
    """
    with _decoder():
        image = _open(data, max_bytes=None)
        turn = _turn(image)
        rgb = _rgb(image)
        return rgb if turn is None else rgb.transpose(turn)


@contextmanager
def _decoder() -> Iterator[None]:
    """Pillow with its bomb warning as an error and its other warnings silent; every way to fail is one error."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (PictureUnreadable, MemoryError):  # the second says nothing about the picture
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise PictureUnreadable(f"more than {MAX_PIXELS // 1_000_000} megapixels") from None
        except Exception as problem:  # Pillow's readers raise many kinds on forged files: all mean the same here
            raise PictureUnreadable(f"damaged or cut off ({type(problem).__name__})") from problem


def _open(data: bytes, max_bytes: int | None = MAX_BYTES) -> ImageFile.ImageFile:
    """The first frame, decoded, after its header was found acceptable."""
    if not data:
        raise PictureUnreadable("empty")
    if max_bytes is not None and len(data) > max_bytes:
        raise PictureUnreadable(f"larger than {max_bytes // 1_000_000} MB")
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "GIF"))
    except UnidentifiedImageError:
        raise PictureUnreadable("not a JPEG, PNG, WebP or GIF picture") from None
    _check_size(*image.size)
    if data[:2] == b"\xff\xd8" and _scans(data) > MAX_SCANS:
        raise PictureUnreadable(f"a JPEG with more than {MAX_SCANS} scans")
    image.seek(0)
    image.load()
    _check_size(*image.size)
    return image


def _check_size(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < MIN_SIDE:
        raise PictureUnreadable(f"{width}x{height} pixels is too small")
    if width * height > MAX_PIXELS:
        raise PictureUnreadable(f"more than {MAX_PIXELS // 1_000_000} megapixels")
    if long > MAX_SIDE:
        raise PictureUnreadable(f"a side is longer than {MAX_SIDE} pixels")
    if long > MAX_RATIO * short:
        raise PictureUnreadable(f"{width}x{height} pixels is a strip, not a picture")


def _scans(data: bytes) -> int:
    """How many scans the first JPEG image of `data` has, counted without decoding; stops above MAX_SCANS."""
    at, scans = 2, 0
    while scans <= MAX_SCANS and at + 4 <= len(data):
        found = _MARKER.search(data, at)
        if found is None or data[found.start() + 1] == 0xD9:
            break
        marker, at = data[found.start() + 1], found.end()
        if marker not in (0x01, 0xD8):  # those stand alone, all others have a length
            at += int.from_bytes(data[at : at + 2], "big")
        scans += marker == 0xDA
    return scans


def _turn(image: Image.Image) -> Image.Transpose | None:
    return _TURNS.get(image.getexif().get(_ORIENTATION, 1))


def _rgb(image: Image.Image) -> Image.Image:
    """A copy of `image` as 8-bit RGB, what is transparent in white; it holds on to neither file nor metadata."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips instead of scaling
        rgb = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    elif image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, "white")
        rgb.paste(rgba, mask=rgba)
    else:
        rgb = image.convert("RGB")
    rgb.info.clear()  # encoders would write some of it out again
    return rgb


def _png(rgb: Image.Image) -> bytes:
    """Level 1: a 12-megapixel photo takes 0.7 s and 18 MB; level 6 takes 4.2 s for 16 MB.

    Lossless WebP would be 20-30 % smaller at twice the memory, and ends at 16383 pixels a side: shorter than an order
    page scrolled to its end. A lossy copy would not have the same pixels.
    """
    out = io.BytesIO()
    rgb.save(out, "PNG", compress_level=1)
    return out.getvalue()
