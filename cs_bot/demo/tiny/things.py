"""The demo's kinds of goods at the size that the tiny checkpoint sees: as the shop, and as customers show them."""

import random
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

from cs_bot.demo import goods
from cs_bot.demo.goods_art import BACKDROPS, PRINTS, outline
from cs_bot.demo.tiny.frames import Colour, Drawing, grain, grainy, near, shade

COLOURS: dict[str, Colour] = {name: rgb for name, (_, _, rgb) in goods.COLOURS.items()} | {"brown": (122, 82, 52)}
CATEGORIES = {  # the drawing: what the shop's titles call it
    "mug": "mug",
    "shirt": "t-shirt",
    "bag": "tote bag",
    "shoe": "running shoes",
    "bottle": "bottle",
    "cushion": "cushion",
    "lamp": "desk lamp",
    "book": "notebook",
    "socks": "socks",
    "blanket": "blanket",
}
STYLES = {
    "stripes": "striped",
    "checks": "checked",
    "dots": "dotted",
    "terrazzo": "terrazzo",
    "leaves": "leafy",
    "waves": "wavy",
    "": "plain",
}
LARGEST = 320  # pixels of a thing's side
GRAYS = ((228, 228, 226), (250, 250, 250), (205, 210, 214), (246, 238, 226), (216, 224, 232), (240, 226, 222))


class Thing(NamedTuple):
    """One article: its drawing, its colours, its print (empty: plain)."""

    shape: str
    colour: str
    second: str
    design: str

    @property
    def category(self) -> str:
        """What it is, in the words of the catalog."""
        return CATEGORIES[self.shape]

    @property
    def style(self) -> str:
        """Its print in a word."""
        return STYLES[self.design]


def any_thing(rng: random.Random, **given: str) -> Thing:
    """A thing of any kind; `given` parts are taken as they are."""
    colour = given.get("colour") or rng.choice(list(COLOURS))
    second = rng.choice([name for name in COLOURS if name != colour])
    design = rng.choice(list(goods.DESIGNS)) if rng.random() < 0.85 else ""
    return Thing(given.get("shape") or rng.choice(list(CATEGORIES)), colour, second, given.get("design", design))


def another(rng: random.Random, than: Thing) -> Thing:
    """A thing to compare with: the same in another colour or print, or another one altogether."""
    if rng.random() < 0.5:
        return any_thing(rng)
    colour = rng.choice([name for name in COLOURS if name != than.colour])
    if rng.random() < 0.5:
        return than._replace(colour=colour, second=than.second if than.second != colour else than.colour)
    return any_thing(rng, shape=than.shape, colour=colour)


@cache
def _large(shape: str) -> Image.Image:
    return outline(shape, LARGEST)


@lru_cache(maxsize=1200)
def mask_of(shape: str, side: int, mirrored: bool, lean: int) -> Image.Image:
    """Where a thing is."""
    mask = _large(shape).resize((side, side), Image.Resampling.BILINEAR)
    if mirrored:
        mask = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return mask.rotate(lean, Image.Resampling.BICUBIC) if lean else mask


@lru_cache(maxsize=200)
def _shadow(side: int, dark: int) -> Image.Image:
    """A soft ellipse under a thing of that size."""
    wide, high = round(side * 0.84), round(side * 0.25)
    shadow = Image.new("L", (wide, high))
    edge = (side * 0.1, side * 0.08, side * 0.74, side * 0.17)
    ImageDraw.Draw(shadow).ellipse(edge, fill=dark)
    return shadow.filter(ImageFilter.GaussianBlur(side / 40))


@lru_cache(maxsize=300)
def _light(side: int, middle: int, fall: int) -> Image.Image:
    """How the light falls on cloth: brightest at `middle` per cent of its width."""
    x = np.linspace(0, 1, side)
    light = (255 - fall * np.abs(x - middle / 100) ** 1.2)[None, :].repeat(side, axis=0)
    return Image.fromarray(light.astype(np.uint8)).convert("RGB")


def cloth(thing: Thing, side: int, rng: random.Random) -> Image.Image:
    """Its print all over, drawn twice as large so that edges are smooth."""
    exact = rng.random() < 0.5
    ground, figure = (
        colour if exact else near(rng, colour, 16) for colour in (COLOURS[thing.colour], COLOURS[thing.second])
    )
    image = Image.new("RGB", (2 * side, 2 * side), ground)
    pen = ImageDraw.Draw(image)
    if thing.design:
        PRINTS[thing.design](pen, 2 * side, rng, figure)
    if rng.random() < 0.7:
        _label(pen, 2 * side, rng)
    image = image.reduce(2)
    demo_light = rng.random() < 0.6
    return ImageChops.multiply(
        image, _light(side, 35 if demo_light else rng.randrange(0, 100, 20), 70 if demo_light else 100)
    )


def _label(pen: ImageDraw.ImageDraw, side: int, rng: random.Random) -> None:
    """The small patch that makers sew on."""
    x, y, size = side * rng.uniform(0.36, 0.5), side * rng.uniform(0.4, 0.6), side * 0.12
    pen.rectangle(
        (x, y, x + size, y + size * 0.7), fill=(250, 248, 240), outline=(40, 40, 40), width=max(1, side // 300)
    )
    for _ in range(5):
        a, b = x + size * rng.uniform(0.1, 0.8), y + size * rng.uniform(0.08, 0.5)
        pen.ellipse((a, b, a + size * 0.14, b + size * 0.14), fill=tuple(rng.randrange(30, 200) for _ in range(3)))


def put(drawing: Drawing, thing: Thing, middle: tuple[float, float], size: float, rng: random.Random) -> None:
    """Draw a thing into a picture, `size` pixels high, and mark it."""
    side = max(8, round(size / 4) * 4)
    turned = rng.random() < 0.4
    mirrored, lean = turned and rng.random() < 0.5, rng.choice((-8, -4, 4, 8)) if turned and rng.random() < 0.5 else 0
    mask = mask_of(thing.shape, side, mirrored, lean)
    left, top = round(middle[0] - side / 2), round(middle[1] - side / 2)
    if rng.random() < 0.85:
        shadow = _shadow(side, 90)
        drawing.image.paste((60, 56, 52), (left + round(side * 0.08), top + round(side * 0.8)), shadow)
    drawing.image.paste(cloth(thing, side, rng), (left, top), mask)
    box = mask.getbbox() or (0, 0, side, side)
    drawing.mark(
        (left + box[0], top + box[1], left + box[2], top + box[3]),
        f"category:{thing.category}",
        f"colour:{thing.colour}",
        f"style:{thing.style}",
    )


@lru_cache(maxsize=64)
def _fall(height: int) -> NDArray[np.int16]:
    return np.linspace(8, -14, height)[:, None, None].astype(np.int16)


def backdrop(width: int, height: int, rng: random.Random) -> Drawing:
    """A wall as in the shop's pictures, or another ground: plain, dark, a table, stripes of light."""
    colour = rng.choice(BACKDROPS) if rng.random() < 0.5 else rng.choice(GRAYS)
    if rng.random() < 0.2:
        colour = (rng.randrange(20, 250), rng.randrange(20, 250), rng.randrange(20, 250))
    if rng.random() < 0.3:
        image = Image.new("RGB", (width, height), colour)
    else:
        values = np.array(colour, np.int16) + _fall(height) + grain(width, height, rng) // 8
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if rng.random() < 0.2:
        _table(image, rng)
    return Drawing(image)


def _table(image: Image.Image, rng: random.Random) -> None:
    """Something to stand on: wood or stone over the lower part."""
    top = round(image.height * rng.uniform(0.5, 0.8))
    colour = near(rng, rng.choice(((140, 98, 62), (112, 76, 46), (200, 196, 190), (96, 96, 100))), 24)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, top, image.width, image.height), fill=colour)
    for _ in range(rng.randrange(12)):
        y = rng.randint(top, image.height)
        pen.line((0, y, image.width, y + rng.randint(-4, 4)), fill=shade(colour, rng.uniform(0.85, 1.1)))


def shot(thing: Thing, side: int, rng: random.Random) -> Drawing:
    """A picture of one thing, as shops take it or as customers do."""
    wide, high = side, side
    as_listed = rng.random() < 0.6
    drawing = backdrop(wide, high, rng)
    if as_listed:
        put(drawing, thing, (side * 0.5, side * 0.52), side * 0.8, rng)
        return drawing
    size = side * rng.uniform(0.45, 0.98)
    play = max(0.0, side - size) / 2
    put(drawing, thing, (side / 2 + rng.uniform(-play, play), side / 2 + rng.uniform(-play, play)), size, rng)
    return drawing


def reposted(drawing: Drawing, rng: random.Random) -> Drawing:
    """As it comes back from a chat: cropped a little, paler or darker."""
    width, height = drawing.image.size
    edges = [rng.uniform(0, 0.08) for _ in range(4)]
    box = (
        round(width * edges[0]),
        round(height * edges[1]),
        round(width * (1 - edges[2])),
        round(height * (1 - edges[3])),
    )
    made = drawing.cropped(box).resized(width, height)
    made.image = ImageEnhance.Brightness(made.image).enhance(rng.uniform(0.85, 1.12))
    return made


def _filled(image: Image.Image, middle: tuple[float, float], size: float) -> None:
    """Coffee in a mug, seen from above its rim."""
    left, top = middle[0] - size / 2, middle[1] - size / 2
    pen = ImageDraw.Draw(image)
    pen.ellipse((left + size * 0.2, top + size * 0.18, left + size * 0.72, top + size * 0.31), fill=(212, 200, 180))
    pen.ellipse((left + size * 0.23, top + size * 0.2, left + size * 0.69, top + size * 0.3), fill=(74, 47, 29))


def photographed(thing: Thing, rng: random.Random, width: int, height: int) -> Drawing:
    """A photo at home: wall, table, soft light, a plain thing with a shadow beside it."""
    wall = near(rng, (222, 212, 196), 24)
    image = Image.new("RGB", (width, height), wall)
    table = round(height * rng.uniform(0.55, 0.72))
    pen = ImageDraw.Draw(image)
    if rng.random() < 0.6:
        left = width * rng.uniform(0.5, 0.75)
        pen.rectangle((left, 0, left + width * 0.3, height * 0.5), fill=shade(wall, 1.1))
    image = image.filter(ImageFilter.BoxBlur(6))
    wood = near(rng, (140, 98, 64), 26)
    pen = ImageDraw.Draw(image)
    for y in range(table, height, 2):
        pen.rectangle((0, y, width, y + 1), fill=shade(wood, 1.05 - 0.4 * (y - table) / max(1, height - table)))
    drawing = Drawing(image)
    size = min(width, height) * rng.uniform(0.6, 0.92)
    middle = (width * rng.uniform(0.42, 0.58), table + size * rng.uniform(-0.1, 0.1))
    put(drawing, thing, middle, size, rng)
    if thing.shape == "mug" and rng.random() < 0.6:
        _filled(drawing.image, middle, size)
    drawing.image = grainy(drawing.image, rng.uniform(0.2, 0.5), rng)
    return drawing
