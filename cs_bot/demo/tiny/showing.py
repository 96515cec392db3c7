"""What customers make of goods' pictures: product pages, things beside each other."""

import random

from PIL import Image, ImageDraw

from cs_bot.demo.tiny.frames import Colour, Drawing, fitted, near
from cs_bot.demo.tiny.things import Thing, another, any_thing, backdrop, photographed, put, reposted, shot

ACCENTS: tuple[Colour, ...] = ((236, 96, 60), (226, 35, 26), (255, 80, 0), (254, 44, 85), (23, 115, 176), (7, 193, 96))
PLACES = {(2, 1): ("left", "right"), (1, 2): ("top", "bottom")}  # columns, rows; others are numbered


def product(rng: random.Random, thing: Thing | None = None) -> tuple[Drawing, Thing]:
    """A picture of one article in one of the ways in which customers send it."""
    thing = thing or any_thing(rng)
    way = rng.random()
    if way < 0.2:
        return product_page(thing, rng), thing
    if way < 0.3:
        thing = thing if rng.random() < 0.5 else thing._replace(design="")
        width, height = rng.choice(((256, 352), (320, 320), (352, 256), (288, 320)))
        return photographed(thing, rng, width, height), thing
    side = rng.choice((192, 224, 256, 288, 320, 320))
    drawing = shot(thing, side, rng)
    return (reposted(drawing, rng) if rng.random() < 0.4 else drawing), thing


def product_page(thing: Thing, rng: random.Random) -> Drawing:
    """A screenshot of a product's page: bars above and below, its picture between them."""
    width, height = fitted(750, rng.choice((1334, 1334, 1500, 1624)))
    drawing = Drawing(Image.new("RGB", (width, height), (255, 255, 255)))
    pen = ImageDraw.Draw(drawing.image)
    unit = width / 750
    top = round(90 * unit)
    pen.rectangle((0, 0, width, top), fill=(245, 245, 245))
    pen.rectangle((330 * unit, 38 * unit, 400 * unit, 50 * unit), fill=(150, 150, 150))
    drawing.paste(shot(thing, width, rng), (0, top))
    _bars(pen, rng, unit, top + width, height)
    return drawing


def _bars(pen: ImageDraw.ImageDraw, rng: random.Random, unit: float, top: float, height: int) -> None:
    """Grey lines for words, and what to press."""
    accent = near(rng, rng.choice(ACCENTS), 10)
    if rng.random() < 0.5:
        pen.rounded_rectangle((30 * unit, top + 18 * unit, 200 * unit, top + 56 * unit), 4, fill=accent)
        top += 50 * unit
    tone = rng.choice((232, 232, 214, 190))
    for row in range(rng.randint(2, 6)):
        y = top + (40 + row * 64) * unit
        pen.rounded_rectangle((30 * unit, y, (720 - row * 110) * unit, y + 30 * unit), 3, fill=(tone, tone, tone))
    left = rng.choice((380, 380, 40))
    foot = height - 94 * unit
    pen.rounded_rectangle((left * unit, foot, 720 * unit, foot + 70 * unit), round(34 * unit), fill=accent)


def comparison(rng: random.Random) -> tuple[Drawing, list[tuple[str, Thing]]]:
    """Two or more articles beside each other, each with where it stands."""
    columns, rows = rng.choice(((2, 1), (2, 1), (2, 1), (2, 1), (2, 1), (1, 2), (3, 1), (2, 2)))
    count = columns * rows
    side = {(2, 1): 224, (1, 2): 224, (3, 1): 160, (2, 2): 160}[columns, rows]
    places = PLACES.get((columns, rows)) or tuple(str(number) for number in range(1, count + 1))
    things = [any_thing(rng)]
    while len(things) < count:
        things.append(another(rng, things[-1]))
    draw = _on_one_ground if rng.random() < 0.3 else _beside
    drawing = draw(things, columns, side, rng).fitted()
    if rng.random() < 0.3:
        drawing = reposted(drawing, rng)
    _sides(drawing, places, columns, rows)
    return drawing, list(zip(places, things, strict=True))


def _beside(things: list[Thing], columns: int, side: int, rng: random.Random) -> Drawing:
    """Pictures put together, with a gap or without."""
    rows = -(-len(things) // columns)
    gap = rng.choice((0, 0, rng.randint(1, 10), round(side * 24 / 640)))
    ground = rng.choice(((255, 255, 255), (255, 255, 255), (20, 20, 20), (230, 230, 230)))
    size = (columns * side + (columns - 1) * gap, rows * side + (rows - 1) * gap)
    drawing = Drawing(Image.new("RGB", size, ground))
    for number, thing in enumerate(things):
        at = (number % columns * (side + gap), number // columns * (side + gap))
        drawing.paste(shot(thing, side, rng), at)
    return drawing


def _on_one_ground(things: list[Thing], columns: int, side: int, rng: random.Random) -> Drawing:
    """All of them on one backdrop."""
    rows = -(-len(things) // columns)
    drawing = backdrop(columns * side, rows * side, rng)
    for number, thing in enumerate(things):
        middle = ((number % columns + 0.5) * side, (number // columns + 0.5) * side)
        put(drawing, thing, middle, side * rng.uniform(0.65, 0.9), rng)
    return drawing


def _sides(drawing: Drawing, places: tuple[str, ...], columns: int, rows: int) -> None:
    wide, high = drawing.image.width / columns, drawing.image.height / rows
    for number, place in enumerate(places):
        x, y = number % columns * wide, number // columns * high
        drawing.mark((x, y, x + wide, y + high), f"side:{place}")
