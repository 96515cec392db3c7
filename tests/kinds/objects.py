"""Things for sale, drawn with PIL in one colour with its shades: each draws itself into a square."""

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Draw = Callable[[ImageDraw.ImageDraw, float, Colour], None]  # onto a square of this side, in this colour

# Several looks of each canonical name; what a shop calls so.
SHADES: dict[str, tuple[Colour, ...]] = {
    "black": ((24, 24, 26), (38, 37, 40), (15, 16, 18)),
    "white": ((246, 246, 244), (238, 240, 242), (250, 248, 245)),
    "grey": ((128, 130, 133), (150, 150, 152), (105, 107, 110)),
    "red": ((200, 28, 36), (178, 22, 30), (220, 45, 40)),
    "pink": ((244, 160, 185), (240, 130, 170), (248, 190, 205)),
    "orange": ((240, 130, 30), (232, 112, 20), (245, 150, 50)),
    "yellow": ((242, 206, 50), (250, 220, 70), (236, 195, 30)),
    "green": ((60, 130, 70), (40, 100, 60), (95, 165, 90)),
    "blue": ((60, 120, 205), (40, 95, 190), (120, 175, 230)),
    "navy": ((26, 34, 74), (22, 30, 62), (32, 40, 84)),
    "purple": ((120, 70, 160), (140, 90, 180), (95, 50, 135)),
    "brown": ((115, 72, 42), (135, 88, 55), (92, 58, 36)),
    "beige": ((222, 203, 172), (230, 214, 188), (212, 192, 160)),
    "khaki": ((168, 150, 105), (158, 142, 100), (176, 158, 116)),
}


def shade(colour: Colour, by: float) -> Colour:
    """Lighter (by > 1) or darker."""
    return tuple(max(0, min(255, round(v * by))) for v in colour)  # type: ignore[return-value]


def shirt(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    body = [(0.3, 0.18), (0.42, 0.14), (0.5, 0.19), (0.58, 0.14), (0.7, 0.18), (0.95, 0.38), (0.84, 0.5), (0.72, 0.42)]
    body += [(0.73, 0.9), (0.27, 0.9), (0.28, 0.42), (0.16, 0.5), (0.05, 0.38)]
    d.polygon([(x * s, y * s) for x, y in body], fill=c)
    d.line([(0.5 * s, 0.2 * s), (0.5 * s, 0.88 * s)], fill=shade(c, 0.85), width=max(2, round(0.01 * s)))
    d.polygon(
        [(0.42 * s, 0.14 * s), (0.5 * s, 0.19 * s), (0.58 * s, 0.14 * s), (0.5 * s, 0.26 * s)], fill=shade(c, 0.8)
    )


def mug(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    d.ellipse([0.62 * s, 0.35 * s, 0.9 * s, 0.7 * s], outline=shade(c, 0.9), width=max(4, round(0.05 * s)))
    d.rounded_rectangle([0.2 * s, 0.22 * s, 0.7 * s, 0.85 * s], radius=0.06 * s, fill=c)
    d.rectangle([0.2 * s, 0.3 * s, 0.27 * s, 0.78 * s], fill=shade(c, 1.15))
    d.ellipse([0.2 * s, 0.17 * s, 0.7 * s, 0.28 * s], fill=shade(c, 0.8))


def bag(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    d.arc([0.3 * s, 0.08 * s, 0.7 * s, 0.6 * s], 180, 360, fill=shade(c, 0.75), width=max(4, round(0.035 * s)))
    d.polygon([(0.15 * s, 0.35 * s), (0.85 * s, 0.35 * s), (0.92 * s, 0.88 * s), (0.08 * s, 0.88 * s)], fill=c)
    d.rectangle([0.13 * s, 0.35 * s, 0.87 * s, 0.45 * s], fill=shade(c, 0.88))


def shoe(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    sole = [(0.05, 0.72), (0.95, 0.72), (0.95, 0.8), (0.05, 0.8)]
    d.polygon([(x * s, y * s) for x, y in sole], fill=shade(c, 0.7))
    top = [(0.06, 0.72), (0.1, 0.36), (0.34, 0.32), (0.55, 0.52), (0.85, 0.58), (0.95, 0.72)]
    d.polygon([(x * s, y * s) for x, y in top], fill=c)
    for x in (0.36, 0.43, 0.5):
        d.line([(x * s, 0.42 * s), ((x + 0.07) * s, 0.37 * s)], fill=shade(c, 1.3), width=max(2, round(0.015 * s)))


def lamp(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    d.polygon([(0.32 * s, 0.1 * s), (0.68 * s, 0.1 * s), (0.84 * s, 0.5 * s), (0.16 * s, 0.5 * s)], fill=c)
    d.rectangle([0.46 * s, 0.5 * s, 0.54 * s, 0.85 * s], fill=shade(c, 0.8))
    d.ellipse([0.3 * s, 0.82 * s, 0.7 * s, 0.92 * s], fill=shade(c, 0.85))


def chair(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    d.rounded_rectangle([0.25 * s, 0.08 * s, 0.75 * s, 0.5 * s], radius=0.06 * s, fill=c)
    d.rounded_rectangle([0.2 * s, 0.5 * s, 0.8 * s, 0.64 * s], radius=0.04 * s, fill=shade(c, 0.88))
    for x in (0.24, 0.7):
        d.rectangle([x * s, 0.64 * s, (x + 0.06) * s, 0.93 * s], fill=shade(c, 0.75))


def bottle(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    d.rounded_rectangle([0.32 * s, 0.3 * s, 0.68 * s, 0.93 * s], radius=0.08 * s, fill=c)
    d.rectangle([0.42 * s, 0.12 * s, 0.58 * s, 0.32 * s], fill=shade(c, 0.9))
    d.rectangle([0.4 * s, 0.06 * s, 0.6 * s, 0.14 * s], fill=shade(c, 0.7))
    d.rectangle([0.36 * s, 0.36 * s, 0.41 * s, 0.86 * s], fill=shade(c, 1.2))


def hat(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    d.pieslice([0.2 * s, 0.2 * s, 0.8 * s, 0.95 * s], 180, 360, fill=c)
    d.ellipse([0.04 * s, 0.52 * s, 0.96 * s, 0.68 * s], fill=shade(c, 0.9))
    d.rectangle([0.2 * s, 0.5 * s, 0.8 * s, 0.57 * s], fill=shade(c, 0.75))


def skirt(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    d.polygon([(0.34 * s, 0.1 * s), (0.66 * s, 0.1 * s), (0.92 * s, 0.9 * s), (0.08 * s, 0.9 * s)], fill=c)
    for x in (0.3, 0.44, 0.58, 0.72):
        d.line([((0.5 + (x - 0.5) * 0.4) * s, 0.16 * s), (x * s, 0.88 * s)], fill=shade(c, 0.85), width=3)
    d.rectangle([0.34 * s, 0.08 * s, 0.66 * s, 0.14 * s], fill=shade(c, 0.8))


def suitcase(d: ImageDraw.ImageDraw, s: float, c: Colour) -> None:
    d.rectangle([0.4 * s, 0.05 * s, 0.6 * s, 0.2 * s], outline=shade(c, 0.6), width=max(3, round(0.02 * s)))
    d.rounded_rectangle([0.22 * s, 0.18 * s, 0.78 * s, 0.9 * s], radius=0.05 * s, fill=c)
    for x in (0.34, 0.46, 0.58):
        d.rectangle([x * s, 0.22 * s, (x + 0.03) * s, 0.86 * s], fill=shade(c, 0.86))


DEV: tuple[Draw, ...] = (shirt, mug, bag, shoe, lamp)
HELD: tuple[Draw, ...] = (chair, bottle, hat, skirt, suitcase)


def draw_object(draw: Draw, side: int, colour: Colour, rng: random.Random) -> Image.Image:
    """The thing on a transparent square, turned a little."""
    big = Image.new("RGBA", (side * 2, side * 2))
    draw(ImageDraw.Draw(big), side * 2.0, colour)
    turned = big.rotate(rng.uniform(-8, 8), resample=Image.Resampling.BICUBIC)
    return turned.resize((side, side), Image.Resampling.LANCZOS)
