"""What happens to a screenshot on its way to a shop: pure functions on pictures that keep the truth's geometry."""

import io
import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tests.screens.truth import FIELDS, Box, Layout, visibility

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Picture:
    """A picture and how the page lies on it."""

    image: Image.Image
    layout: Layout
    css: float = 1.0  # picture pixels per CSS pixel of the page
    hole: Box | None = None  # of a frame: where a screenshot goes


def shift(dx: float, dy: float) -> Array:
    """The homography of a translation."""
    return np.array([[1.0, 0, dx], [0, 1, dy], [0, 0, 1]])


def stretch(sx: float, sy: float) -> Array:
    """The homography of a scaling."""
    return np.diag([sx, sy, 1.0])


def turn(degrees: float) -> Array:
    """The homography of a turn around the origin, counter-clockwise on a picture whose y grows downwards."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def homography(source: Array, target: Array) -> Array:
    """The 3x3 matrix that maps four source points onto four target points, both of shape (4, 2)."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1.0).reshape(3, 3)


def jpeg(picture: Picture, quality: int) -> Picture:
    """Saved as JPEG and opened again."""
    out = io.BytesIO()
    picture.image.save(out, "JPEG", quality=quality)
    return replace(picture, image=Image.open(io.BytesIO(out.getvalue())).convert("RGB"))


def resize(picture: Picture, factor: float) -> Picture:
    """Scaled by `factor`."""
    width, height = picture.image.size
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    matrix = stretch(size[0] / width, size[1] / height)
    image = picture.image.resize(size, Image.Resampling.LANCZOS)
    return replace(picture, image=image, layout=picture.layout.moved(matrix, size), css=picture.css * factor)


def rotate(picture: Picture, degrees: float, fill: tuple[int, int, int] = (20, 20, 20)) -> Picture:
    """Turned counter-clockwise onto a canvas that holds all of it."""
    width, height = picture.image.size
    image = picture.image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    matrix = shift(image.width / 2, image.height / 2) @ turn(degrees) @ shift(-width / 2, -height / 2)
    return replace(picture, image=image, layout=picture.layout.moved(matrix, image.size))


def crop(picture: Picture, box: tuple[int, int, int, int]) -> Picture:
    """Only the box (left, top, right, bottom) is kept."""
    image = picture.image.crop(box)
    return replace(picture, image=image, layout=picture.layout.moved(shift(-box[0], -box[1]), image.size))


def crop_part(picture: Picture, rng: random.Random) -> Picture:
    """The upper or lower 45-75 % is kept, such that at least one field stays wholly visible."""
    width, height = picture.image.size
    for _ in range(20):
        share = rng.uniform(0.45, 0.75)
        kept = (
            (0, 0, width, round(height * share))
            if rng.random() < 0.5
            else (0, round(height * (1 - share)), width, height)
        )
        cropped = crop(picture, kept)
        if any(visibility(cropped.layout, name) == "whole" for name in FIELDS):
            return cropped
    return cropped


def _cuts(picture: Picture, rng: random.Random) -> dict[str, tuple[int, int, int, int]]:
    """Per side the box that is left when the picture's edge runs through the order number."""
    width, height = picture.image.size
    chars = picture.layout.mains("order_id")[0].chars
    left, right = chars[0][0], chars[-1][2]
    top, bottom = chars[0][1], chars[0][3]
    middle = round(top + rng.uniform(0.45, 0.58) * (bottom - top))
    return {
        "right": (0, 0, round(left + rng.uniform(0.3, 0.85) * (right - left)), height),
        "left": (round(left + rng.uniform(0.12, 0.5) * (right - left)), 0, width, height),
        "bottom": (0, 0, width, middle),
        "top": (0, middle, width, height),
    }


def cut_number(picture: Picture, rng: random.Random) -> Picture:
    """The picture's edge runs through the order number; two fifths of the page stay where a side allows it."""
    width, height = picture.image.size
    cuts = _cuts(picture, rng)
    weights = {"right": 45, "left": 20, "bottom": 20, "top": 15}
    area = {side: (box[2] - box[0]) * (box[3] - box[1]) / (width * height) for side, box in cuts.items()}
    sides = [side for side in cuts if area[side] >= 0.4] or [max(cuts, key=area.__getitem__)]
    return crop(picture, cuts[rng.choices(sides, [weights[side] for side in sides])[0]])


def nest(picture: Picture, frame: Picture) -> Picture:
    """The picture scaled into the hole of a frame (a chat or a gallery screen)."""
    assert frame.hole is not None, "the frame has no hole"
    left, top, right, bottom = frame.hole
    factor = min((right - left) / picture.image.width, (bottom - top) / picture.image.height)
    small = resize(picture, factor)
    x = round(left + (right - left - small.image.width) / 2)
    y = round(top + (bottom - top - small.image.height) / 2)
    image = frame.image.copy()
    image.paste(small.image, (x, y))
    return replace(small, image=image, layout=small.layout.moved(shift(x, y), image.size))


def nested_scale(picture: Picture, frame: Picture) -> float:
    """Pixels per CSS pixel that the picture would have inside the frame."""
    assert frame.hole is not None, "the frame has no hole"
    left, top, right, bottom = frame.hole
    return picture.css * min((right - left) / picture.image.width, (bottom - top) / picture.image.height)


def _desk(size: tuple[int, int], rng: random.Random) -> Image.Image:
    width, height = size
    ramp = np.linspace(rng.uniform(0.6, 0.9), rng.uniform(0.9, 1.25), width)[None, :, None]
    tone = np.array([rng.randint(70, 150), rng.randint(60, 130), rng.randint(50, 120)])[None, None, :]
    grain = np.sin(np.linspace(0, rng.uniform(30, 80), height))[:, None, None] * 6
    return Image.fromarray(np.clip(tone * ramp + grain, 0, 255).astype(np.uint8))


def _light(size: tuple[int, int], rng: random.Random) -> Array:
    """Factor per pixel: a brightness gradient times a faint moire."""
    width, height = size
    x, y = np.linspace(-1, 1, width)[None, :], np.linspace(-1, 1, height)[:, None]
    gradient = 1 + rng.uniform(-0.14, 0.14) * x + rng.uniform(-0.14, 0.14) * y
    turned = x * width * np.cos(angle := rng.uniform(0, 3.14)) + y * height * np.sin(angle)
    moire = 1 + rng.uniform(0.01, 0.035) * np.sin(turned / rng.uniform(2.2, 7.0))
    return np.asarray(gradient * moire, dtype=np.float32)


def _glare(size: tuple[int, int], rng: random.Random) -> Array:
    """Added white per pixel in 0..1: one soft, see-through spot."""
    width, height = size
    x, y = np.linspace(0, 1, width)[None, :], np.linspace(0, 1, height)[:, None]
    radius = rng.uniform(0.12, 0.3)
    distance = ((x - rng.random()) / radius) ** 2 + ((y - rng.random()) / (radius * 0.7)) ** 2
    return np.asarray(rng.uniform(0.1, 0.3) * np.exp(-distance), dtype=np.float32)


def _quad(width: int, height: int, pad: int, rng: random.Random) -> Array:
    lean = 0.028 * min(width, height)
    corners = [(pad, pad), (pad + width, pad), (pad + width, pad + height), (pad, pad + height)]
    return np.array([(x + rng.uniform(-lean, lean), y + rng.uniform(-lean, lean)) for x, y in corners])


def photo(picture: Picture, rng: random.Random, scale: float) -> Picture:
    """A photo of the screen at `scale` pixels per CSS pixel: perspective, bezel, uneven light, moire, blur, noise."""
    screen = resize(picture, scale / picture.css)
    width, height = screen.image.size
    pad = round(0.07 * min(width, height))
    size = (width + 2 * pad, height + 2 * pad)
    source = np.array([(0.0, 0.0), (width, 0), (width, height), (0, height)])
    matrix = homography(source, _quad(width, height, pad, rng))
    back = np.linalg.inv(matrix)
    coefficients = tuple((back / back[2, 2]).ravel()[:8])
    canvas = _desk(size, rng)
    for image, mask_size in ((None, (-22, -22, width + 22, height + 22)), (screen.image, None)):
        _lay(canvas, image, matrix, coefficients, mask_size)
    pixels = np.asarray(canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.42) * scale / 2)), dtype=np.float32)
    pixels = pixels * _light(size, rng)[:, :, None]
    pixels = pixels + (255 - pixels) * _glare(size, rng)[:, :, None]
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(pixels.shape[:2], dtype=np.float32)
    pixels = pixels * np.array([rng.uniform(0.94, 1.0), 1.0, rng.uniform(0.93, 1.04)], dtype=np.float32)
    pixels = np.clip(pixels + noise[:, :, None] * rng.uniform(2.5, 6.5), 0, 255).astype(np.uint8)
    return replace(screen, image=Image.fromarray(pixels), layout=screen.layout.moved(matrix, size))


def _lay(canvas: Image.Image, image: Image.Image | None, matrix: Array, inverse: Any, outline: Any) -> None:
    """Paste an image through the homography; without one, draw the black bezel around `outline`."""
    if image is None:
        left, top, right, bottom = outline
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=float)
        lifted = np.c_[corners, np.ones(4)] @ matrix.T
        points = [(float(x), float(y)) for x, y in lifted[:, :2] / lifted[:, 2:]]
        ImageDraw.Draw(canvas).polygon(points, fill=(12, 12, 14))
        return
    perspective, bicubic = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    mask = Image.new("L", image.size, 255).transform(canvas.size, perspective, inverse, Image.Resampling.BILINEAR)
    canvas.paste(image.transform(canvas.size, perspective, inverse, bicubic), (0, 0), mask)
