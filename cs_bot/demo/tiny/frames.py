"""Pictures at the size that the tiny checkpoint sees, and what stands where on them."""

import io
import math
import random
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

GRID = 32  # pixels of one visual token's side
MIN_PIXELS, MAX_PIXELS = GRID * GRID, 320 * 320
SECOND_SCALE = 0.85
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]


class Mark(NamedTuple):
    """What is to be seen inside a box of the picture: `digit:7`, `colour:red`, `category:mug`, `status:shipped`."""

    box: Box
    what: str


@dataclass
class Drawing:
    """A picture while it is made, and its marks."""

    image: Image.Image
    marks: list[Mark] = field(default_factory=list)

    def mark(self, box: tuple[float, float, float, float], *what: str) -> None:
        """Say what a box holds; what lies outside the picture is cut off."""
        left, top, right, bottom = (round(side) for side in box)
        inside = (max(0, left), max(0, top), min(self.image.width, right), min(self.image.height, bottom))
        if inside[0] < inside[2] and inside[1] < inside[3]:
            self.marks += [Mark(inside, one) for one in what]

    def paste(self, other: "Drawing", at: tuple[int, int]) -> None:
        """Put another drawing into this one, with its marks."""
        self.image.paste(other.image, at)
        for box, what in other.marks:
            self.mark((box[0] + at[0], box[1] + at[1], box[2] + at[0], box[3] + at[1]), what)

    def resized(self, width: int, height: int) -> "Drawing":
        """The same in another size, by the image processor's bicubic rule."""
        if self.image.size == (width, height):
            return self
        x, y = width / self.image.width, height / self.image.height
        made = Drawing(self.image.resize((width, height), Image.Resampling.BICUBIC))
        for box, what in self.marks:
            made.mark((box[0] * x, box[1] * y, box[2] * x, box[3] * y), what)
        return made

    def cropped(self, box: Box) -> "Drawing":
        """A part of it. Marks of which less than two thirds are left are dropped."""
        made = Drawing(self.image.crop(box))
        for (left, top, right, bottom), what in self.marks:
            kept = (max(left, box[0]), max(top, box[1]), min(right, box[2]), min(bottom, box[3]))
            if 3 * _area(kept) >= 2 * _area((left, top, right, bottom)):
                made.mark((kept[0] - box[0], kept[1] - box[1], kept[2] - box[0], kept[3] - box[1]), what)
        return made

    def fitted(self) -> "Drawing":
        """In the size that the image processor would give it."""
        return self.resized(*fitted(*self.image.size))

    def pixels(self) -> NDArray[np.uint8]:
        """Height x width x RGB."""
        return np.asarray(self.image)


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def fitted(width: int, height: int) -> tuple[int, int]:
    """Width and height as the image processor makes them: multiples of 32, within the limits."""
    across, down = max(GRID, round(width / GRID) * GRID), max(GRID, round(height / GRID) * GRID)
    if across * down > MAX_PIXELS:
        shrink = math.sqrt(width * height / MAX_PIXELS)
        across, down = (max(GRID, math.floor(side / shrink / GRID) * GRID) for side in (width, height))
    elif across * down < MIN_PIXELS:
        grow = math.sqrt(MIN_PIXELS / (width * height))
        across, down = (math.ceil(side * grow / GRID) * GRID for side in (width, height))
    return across, down


def seen_again(drawing: Drawing) -> Drawing:
    """As the second reading sees a picture: on another grid of pixels."""
    width, height = (max(1, round(side * SECOND_SCALE)) for side in drawing.image.size)
    return drawing.resized(width, height).fitted()


def shade(colour: Colour, by: float) -> Colour:
    """Darker below 1, lighter above."""
    red, green, blue = (min(255, max(0, round(part * by))) for part in colour)
    return red, green, blue


def near(rng: random.Random, colour: Colour, by: int) -> Colour:
    """A colour that passes for this one: each part moved by at most `by`, all of them by the same light."""
    light = rng.randint(-by, by)
    red, green, blue = (min(255, max(0, part + light + rng.randint(-by // 2, by // 2))) for part in colour)
    return red, green, blue


@cache
def _noise() -> NDArray[np.int16]:
    """A field of noise, larger than any picture; each takes a piece of it."""
    return np.random.default_rng(7).normal(0, 16, (2048, 2048, 1)).astype(np.int16)


def grain(width: int, height: int, rng: random.Random) -> NDArray[np.int16]:
    """Noise of a standard deviation of 16."""
    field = _noise()
    top, left = rng.randrange(field.shape[0] - height), rng.randrange(field.shape[1] - width)
    return field[top : top + height, left : left + width]


def grainy(image: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """The picture with noise; 1 is a standard deviation of 16."""
    noise = (grain(image.width, image.height, rng) * np.float32(strength)).astype(np.int16)
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def roughened(image: Image.Image, rng: random.Random) -> Image.Image:
    """What cameras, chats and screens do to a picture: light, noise, blur, JPEG; often nothing."""
    if rng.random() < 0.4:
        contrast, light = rng.uniform(0.88, 1.1), rng.randint(-14, 16)
        steps = [min(255, max(0, round((value - 128) * contrast + 128 + light))) for value in range(256)]
        image = image.point(3 * steps)
        if rng.random() < 0.6:
            image = grainy(image, rng.uniform(0, 0.5), rng)
    if rng.random() < 0.12:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8)))
    if rng.random() < 0.25:
        image = as_jpeg(image, rng.randint(55, 92))
    return image


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The picture after JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    with Image.open(file) as opened:
        return opened.convert("RGB")
