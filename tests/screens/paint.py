"""Digits painted over: bars, mosaic, a marker stroke, a round sticker; pure functions that record what they hide."""

import random
from dataclasses import replace
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from tests.screens.degrade import Picture
from tests.screens.truth import Box

Style = Literal["page", "black", "mosaic", "marker", "sticker"]
Place = Literal["first", "middle", "last"]
STYLES: tuple[Style, ...] = ("page", "black", "mosaic", "marker", "sticker")
PLACES: tuple[Place, ...] = ("middle", "last", "first")


def span(count: int, place: Place, rng: random.Random) -> tuple[int, int]:
    """Which characters of `count` are hidden: from, to (not included). Three to six, fewer in short numbers."""
    hidden = min(rng.randint(3, 6), max(1, count // 2))
    if place == "first":
        return 0, hidden
    if place == "last":
        return count - hidden, count
    start = rng.randint(max(1, count // 4), max(1, count - hidden - max(1, count // 4)))
    return start, min(start + hidden, count - 1)


def _region(chars: tuple[Box, ...], pad: float) -> Box:
    return (
        min(c[0] for c in chars) - pad,
        min(c[1] for c in chars) + pad,
        max(c[2] for c in chars) + pad,
        max(c[3] for c in chars) - pad,
    )


def page_colour(image: Image.Image, box: Box) -> tuple[int, int, int]:
    """The commonest colour inside the box: the page behind the text."""
    patch = np.asarray(image.crop(tuple(round(v) for v in box)).convert("RGB")).reshape(-1, 3)
    colours, counts = np.unique(patch, axis=0, return_counts=True)
    red, green, blue = (int(v) for v in colours[counts.argmax()])
    return red, green, blue


def _mosaic(image: Image.Image, box: Box) -> None:
    left, top, right, bottom = (round(v) for v in box)
    block = max(8, round((bottom - top) * 0.7))
    patch = image.crop((left, top, right, bottom))
    small = patch.resize((max(1, patch.width // block), max(1, patch.height // block)), Image.Resampling.BOX)
    image.paste(small.resize(patch.size, Image.Resampling.NEAREST), (left, top))


def _marker(draw: ImageDraw.ImageDraw, box: Box, rng: random.Random) -> None:
    left, top, right, bottom = box
    thick = round((bottom - top) * 1.05)
    middle = (top + bottom) / 2
    points = [(left + thick * 0.3, middle + rng.uniform(-2, 2)), (right - thick * 0.3, middle + rng.uniform(-2, 2))]
    colour = rng.choice(((214, 34, 40), (18, 18, 18), (250, 190, 0), (30, 96, 220)))
    draw.line(points, fill=colour, width=thick)
    for x, y in points:
        draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=colour)


def _stickers(draw: ImageDraw.ImageDraw, box: Box) -> None:
    left, top, right, bottom = box
    size = (bottom - top) * 1.25
    middle = (top + bottom) / 2
    count = max(1, round((right - left) / (size * 0.62)))
    for x in np.linspace(left + size * 0.32, right - size * 0.32, count) if count > 1 else [(left + right) / 2]:
        draw.ellipse((x - size / 2, middle - size / 2, x + size / 2, middle + size / 2), fill=(255, 204, 34))
        for eye in (-0.17, 0.17):
            radius = size * 0.06
            spot = (
                x + eye * size - radius,
                middle - size * 0.14 - radius,
                x + eye * size + radius,
                middle - size * 0.14 + radius,
            )
            draw.ellipse(spot, fill=(90, 60, 10))
        draw.arc(
            (x - size * 0.25, middle - size * 0.2, x + size * 0.25, middle + size * 0.28), 20, 160, (90, 60, 10), 3
        )


def paint(picture: Picture, name: str, style: Style, place: Place, rng: random.Random) -> Picture:
    """Some characters of a field hidden wherever the field is printed. The picture must still lie on its page 1:1."""
    image = picture.image.copy()
    draw = ImageDraw.Draw(image)
    hidden: list[Box] = []
    state = rng.getstate()
    for mark in [m for m in picture.layout.marks if m.field == name]:
        rng.setstate(state)  # the same characters everywhere
        start, end = span(len(mark.chars), place, rng)
        height = mark.chars[start][3] - mark.chars[start][1]
        box = _region(mark.chars[start:end], height * 0.04)
        if style == "page":
            draw.rectangle(box, fill=page_colour(image, _region(mark.chars, 0)))
        elif style == "black":
            draw.rectangle(box, fill=(0, 0, 0))
        elif style == "mosaic":
            _mosaic(image, box)
        elif style == "marker":
            _marker(draw, box, rng)
        else:
            _stickers(draw, box)
        hidden.append((box[0], mark.chars[start][1], box[2], mark.chars[start][3]))
    return replace(picture, image=image, layout=picture.layout.covered(hidden))
