"""Draws a product picture from its spec: form, surface, print, light and shadow, on the shop's backdrop."""

import random
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.likeness.specs import Spec
from tests.likeness.textures import Colours, Plane, backdrop, hsv, layered, mix, pattern

SIZE = 640
Points = list[tuple[float, float]]


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in font: no font of the machine is used."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=4)
def _grain(size: int) -> Colours:
    """A sensor's noise."""
    plane = np.random.default_rng(size).standard_normal((size, size, 1), dtype=np.float32)
    return np.repeat(plane * np.float32(0.008), 3, axis=2)


def picture(spec: Spec, shop_seed: int, size: int = SIZE) -> Image.Image:
    """The shop's picture of a product, `size` pixels square."""
    scene = backdrop(spec.backdrop, shop_seed, size).copy()
    body, parts, centre = _form(spec, size)
    base, accent = hsv(spec.hue, spec.saturation, spec.value), hsv(spec.accent, 0.6, 0.8 if spec.value < 0.6 else 0.35)
    surface = pattern(spec.pattern, spec.pattern_seed, size, base, accent)
    surface = _printed(surface, spec, centre, size)
    surface = mix(surface, accent * np.float32(0.8), parts)
    surface = surface * _shading(body, spec, size)[..., None]
    if spec.shape != "fabric":
        scene *= 1 - 0.45 * _shadow(body, spec, size)[..., None]
    whole = np.maximum(body, parts)[..., None]
    scene += (surface - scene) * whole
    scene += np.roll(_grain(size), spec.shape_seed % size, axis=0)
    return Image.fromarray(cv2.convertScaleAbs(np.clip(scene, 0, 1), alpha=255))


def _outline(spec: Spec, rng: random.Random) -> tuple[list[Points], list[Points], tuple[float, float]]:
    """Polygons of body and of parts in -0.5..0.5, and the middle of the place for a print."""
    a, b, c = rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.2), rng.uniform(0, 1)
    box, w, h = _box, 0.17 * a, 0.18 * b
    sleeve = [(0.5, -0.22 * a), (0.4, -0.02), (0.27, -0.1), (0.27, 0.45)]
    waves = [(0, -0.38 * a), (0.46, -0.44), (0.4, 0), (0.46, 0.44), (0, 0.38 * b), (-0.46, 0.44), (-0.4, 0)]
    forms: dict[str, tuple[list[Points], list[Points], tuple[float, float]]] = {
        "mug": ([box(-0.3, -0.32 * a, 0.22, 0.36)], [_ring(0.27, 0.02, 0.15 * b, 0.2 * a, 0.05)], (-0.04, 0.03)),
        "tee": (
            [[(-0.18, -0.42), (0.18, -0.42), *sleeve, *((-x, y) for x, y in sleeve[::-1])]],
            [_oval(0, -0.42, 0.1 * b, 0.05)],
            (0, 0),
        ),
        "tote": (
            [[(-0.34, -0.16), (0.34, -0.16), (0.34 * a, 0.48), (-0.34 * a, 0.48)]],
            [_ring(0, -0.16, 0.17 * b, 0.3, 0.04)],
            (0, 0.16),
        ),
        "bottle": (
            [box(-w, -0.2, w, 0.48), [(-w, -0.2), (w, -0.2), (0.07, -0.36), (-0.07, -0.36)]],
            [box(-0.08, -0.48, 0.08, -0.35 - 0.04 * c)],
            (0, 0.14),
        ),
        "shoe": (
            [[(-0.48, 0.2), (-0.46, -0.14 * a), (-0.2, -0.2), (0.02, 0.0), (0.3, 0.06), (0.48, 0.2)]],
            [box(-0.5, 0.19, 0.5, 0.19 + 0.09 * b)],
            (-0.22, 0.06),
        ),
        "lamp": (
            [[(-0.16 * a, -0.46), (0.16 * a, -0.46), (0.38 * b, 0.04), (-0.38 * b, 0.04)]],
            [box(-0.03, 0.04, 0.03, 0.42), _oval(0, 0.44, 0.22, 0.05)],
            (0, -0.16),
        ),
        "carton": (
            [box(-0.34 * a, -0.44, 0.28, 0.44)],
            [[(0.28, -0.44), (0.4, -0.36), (0.4, 0.36), (0.28, 0.44)]],
            (-0.04, 0),
        ),
        "watch": (
            [_oval(0, 0, 0.26, 0.26 * a)],
            [box(-0.13 * b, -0.5, 0.13 * b, -0.24), box(-0.13 * b, 0.24, 0.13 * b, 0.5)],
            (0, 0),
        ),
        "chair": (
            [box(-0.28, -0.48, 0.28, -0.02), box(-0.34, 0.0, 0.34, 0.1 * a)],
            [box(-0.31, 0.1, -0.26, 0.48), box(0.26, 0.1, 0.31, 0.48)],
            (0, -0.24),
        ),
        "cap": ([_oval(0, 0, 0.34, 0.3 * a)], [_oval(0.2 * b, 0.22, 0.34, 0.08)], (0, -0.06)),
        "case": (
            [box(-0.25 * a, -0.48, 0.25 * a, 0.48)],
            [_oval(-0.13, -0.36, 0.06, 0.06), _oval(-0.13, -0.22, 0.06, 0.06)],
            (0, 0.1),
        ),
        "cushion": ([[(-0.46, -0.44), *waves]], [], (0, 0)),
        "jar": ([box(-0.28 * a, -0.26, 0.28 * a, 0.44)], [box(-0.25 * a, -0.42, 0.25 * a, -0.26)], (0, 0.1)),
        "speaker": (
            [box(-0.28, -0.48 * a, 0.28, 0.48)],
            [_ring(0, 0.2, w, w, 0.05), _ring(0, -0.24, 0.09, 0.09, 0.03)],
            (0, -0.05),
        ),
        "glasses": (
            [_ring(-0.25, 0, 0.22 * a, h, 0.06), _ring(0.25, 0, 0.22 * a, h, 0.06)],
            [box(-0.05, -0.06, 0.05, 0)],
            (-0.25, 0.0),
        ),
        "fabric": ([box(-2, -2, 2, 2)], [], (0, 0)),
    }
    return forms[spec.shape]


def _box(left: float, top: float, right: float, bottom: float) -> Points:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _oval(x: float, y: float, rx: float, ry: float) -> Points:
    return [(x + rx * float(np.cos(t)), y + ry * float(np.sin(t))) for t in np.linspace(0, 6.283, 60)]


def _ring(x: float, y: float, rx: float, ry: float, thick: float) -> Points:
    return _oval(x, y, rx, ry) + _oval(x, y, rx - thick, ry - thick)[::-1]


def _form(spec: Spec, size: int) -> tuple[Plane, Plane, tuple[float, float]]:
    """Masks of body and parts in 0..1, and the middle of the print in pixels."""
    bodies, parts, (px, py) = _outline(spec, random.Random(spec.shape_seed))
    x, y, scale, degrees = spec.pose
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scale * size
    middle = np.array([x, y]) * size

    def fill(polygons: list[Points]) -> Plane:
        mask = np.zeros((size, size), np.uint8)
        for polygon in polygons:
            placed = np.round((np.array(polygon) @ matrix.T + middle) * 16).astype(np.int32)
            cv2.fillPoly(mask, [placed], 255, cv2.LINE_AA, shift=4)
        return (mask / 255).astype(np.float32)

    at = np.array([px, py]) @ matrix.T + middle
    return fill(bodies), fill(parts), (float(at[0]), float(at[1]))


def _printed(surface: Colours, spec: Spec, centre: tuple[float, float], size: int) -> Colours:
    """The print laid onto the surface."""
    if spec.print == "none":
        return surface
    layer = _print_layer(spec, round(spec.pose[2] * size * (0.26 if spec.print == "label" else 0.38)))
    layer = layer.rotate(-spec.pose[3], Image.Resampling.BICUBIC, expand=True)
    sheet = Image.fromarray(cv2.convertScaleAbs(surface, alpha=255))
    sheet.paste(layer, (round(centre[0] - layer.width / 2), round(centre[1] - layer.height / 2)), layer)
    return np.asarray(sheet, np.float32) / 255


def _print_layer(spec: Spec, side: int) -> Image.Image:
    rng = random.Random(spec.print_seed)
    layer = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(layer)
    values = (0.75, 1.0) if spec.value < 0.6 else (0.1, 0.45)
    colours = [_rgb(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(*values)) for _ in range(4)]
    if spec.print == "logo":
        _logo(pen, rng, side, colours)
    elif spec.print == "scene":
        _scene(pen, rng, side, colours)
    else:
        lettering = font(max(8, round(side / max(2.6, 0.58 * len(spec.text)))))
        if spec.print == "label":
            pen.rectangle((0, side * 0.32, side, side * 0.68), fill=(245, 245, 240, 255))
            colours[0] = (30, 30, 30, 255)
        pen.text((side / 2, side / 2), spec.text, font=lettering, fill=colours[0], anchor="mm")
    return layer


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int, int]:
    red, green, blue = (int(255 * channel) for channel in hsv(hue, saturation, value))
    return red, green, blue, 255


def _logo(pen: ImageDraw.ImageDraw, rng: random.Random, side: int, colours: list[tuple[int, int, int, int]]) -> None:
    for colour in colours[: rng.choice((2, 3, 4))]:
        x, y, r = rng.uniform(0.25, 0.75) * side, rng.uniform(0.25, 0.75) * side, rng.uniform(0.12, 0.3) * side
        kind = rng.randrange(4)
        if kind == 0:
            pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        elif kind == 1:
            pen.regular_polygon((x, y, r), rng.choice((3, 4, 5, 6)), rng.randrange(90), fill=colour)
        elif kind == 2:
            pen.arc((x - r, y - r, x + r, y + r), rng.randrange(360), rng.randrange(360), fill=colour, width=side // 12)
        else:
            points = [(rng.random() * side, rng.random() * side) for _ in range(4)]
            pen.line(points, fill=colour, width=side // 14)


def _scene(pen: ImageDraw.ImageDraw, rng: random.Random, side: int, colours: list[tuple[int, int, int, int]]) -> None:
    pen.rectangle((0, side * 0.1, side, side * 0.9), fill=colours[0])
    r, x = rng.uniform(0.08, 0.18) * side, rng.uniform(0.2, 0.8) * side
    pen.ellipse((x - r, side * 0.3 - r, x + r, side * 0.3 + r), fill=(250, 230, 150, 255))
    for colour in colours[1:]:
        peaks = [(step * side / 5, rng.uniform(0.35, 0.75) * side) for step in range(6)]
        pen.polygon([(0, side * 0.9), *peaks, (side, side * 0.9)], fill=colour)


def _shading(body: Plane, spec: Spec, size: int) -> Plane:
    """Light on the body: round towards its edges, brighter on one side, with folds or dents."""
    half = size // 2
    inside = cv2.distanceTransform((body[::2, ::2] > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    depth = np.clip(inside / (0.12 * half), 0, 1) ** 0.6
    turn = np.deg2rad(spec.light)
    y, x = np.mgrid[0:half, 0:half].astype(np.float32) / half - 0.5
    side = x * np.cos(turn) + y * np.sin(turn)
    folds = layered(np.random.default_rng(spec.shape_seed + 1), half, (5, 5), 3) - 0.5
    light = (0.72 + 0.26 * depth + 0.35 * side + 0.16 * folds).astype(np.float32)
    return np.asarray(cv2.resize(light, (size, size)), np.float32)


def _shadow(body: Plane, spec: Spec, size: int) -> NDArray[np.float32]:
    turn, quarter = np.deg2rad(spec.light), size // 4
    small = cv2.resize(body, (quarter, quarter), interpolation=cv2.INTER_AREA)
    down, along = round(0.03 * quarter * (1 + np.sin(turn))), round(0.03 * quarter * np.cos(turn))
    blurred = cv2.GaussianBlur(np.roll(small, (down, along), axis=(0, 1)), (0, 0), 0.025 * quarter)
    return np.asarray(cv2.resize(blurred, (size, size)), np.float32)
