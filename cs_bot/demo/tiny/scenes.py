"""Things in use: people in clothes, rooms with things standing about, devices with a light."""

import random
from typing import NamedTuple

from PIL import Image, ImageDraw

from cs_bot.demo.tiny.frames import Colour, Drawing, near, shade
from cs_bot.demo.tiny.things import COLOURS, any_thing, backdrop, put

SKIN: tuple[Colour, ...] = ((245, 210, 180), (225, 175, 135), (150, 100, 70), (104, 70, 50))
HAIR: tuple[Colour, ...] = ((40, 30, 25), (90, 60, 35), (20, 20, 20), (170, 130, 80))
LIGHTS: dict[str, Colour] = {
    "red": (240, 40, 30),
    "green": (40, 220, 80),
    "blue": (60, 120, 250),
    "orange": (250, 150, 20),
}
DEVICES = ("router", "power bank", "speaker")


class Seen(NamedTuple):
    """One thing of a scene. A style that is empty cannot be told."""

    category: str
    colour: str
    style: str = ""


def scene(rng: random.Random) -> tuple[Drawing, list[Seen]]:
    """One of the three kinds of scenes; what is in it in reading order."""
    way = rng.random()
    if way < 0.6:
        return figure(rng)
    return room(rng) if way < 0.88 else device(rng)


def _ink(colour: Colour) -> Colour:
    """An outline that is seen on the colour and beside it."""
    return shade(colour, 0.68) if sum(colour) > 220 else (colour[0] + 60, colour[1] + 60, colour[2] + 60)


class _Body:
    """Places on a figure, in eighths of its height, from the middle of its head's top."""

    def __init__(self, drawing: Drawing, unit: float, x: float, y: float, worn: dict[str, tuple[str, Colour]]) -> None:
        self.drawing, self.pen = drawing, ImageDraw.Draw(drawing.image)
        self.unit, self.x, self.y, self.worn = unit, x, y, worn

    def at(self, *corners: tuple[float, float]) -> list[tuple[float, float]]:
        """Pixels."""
        return [(self.x + across * self.unit, self.y + down * self.unit) for across, down in corners]

    def part(self, corners: tuple[tuple[float, float], ...], colour: Colour) -> None:
        """A piece of cloth."""
        self.pen.polygon(self.at(*corners), fill=colour, outline=_ink(colour))

    def limb(self, start: tuple[float, float], end: tuple[float, float], skin: Colour, width: float = 0.4) -> None:
        """An arm or a leg."""
        self.pen.line(self.at(start, end), fill=skin, width=max(2, round(self.unit * width)))

    def name(self, category: str, left: float, top: float, right: float, bottom: float) -> None:
        """Mark what is worn there."""
        (x0, y0), (x1, y1) = self.at((left, top), (right, bottom))
        self.drawing.mark((x0, y0, x1, y1), f"category:{category}", f"colour:{self.worn[category][0]}")


def figure(rng: random.Random) -> tuple[Drawing, list[Seen]]:
    """Somebody in three to five pieces."""
    width, height = rng.choice(((192, 320), (224, 320), (192, 288), (256, 320), (256, 288), (224, 416)))
    lower = rng.choice(("trousers", "trousers", "skirt", "dress"))
    names = [*(["hat"] if rng.random() < 0.4 else []), *(["dress"] if lower == "dress" else ["shirt", lower])]
    names += [*(["bag"] if rng.random() < 0.4 or len(names) == 1 else []), "shoes"]
    worn = {}
    for name in names:
        colour = rng.choice(list(COLOURS))
        worn[name] = (colour, near(rng, COLOURS[colour], 10))
    drawing = backdrop(width, height, rng)
    unit = height * rng.uniform(0.8, 0.92) / 8.1
    top = rng.uniform(0.25 * unit, max(0.3 * unit, height - 8 * unit))
    body = _Body(drawing, unit, width / 2 + rng.uniform(-0.1, 0.1) * width, top, worn)
    skin = rng.choice(SKIN)
    _head(body, skin, rng)
    _lower(body, skin, rng)
    _upper(body, skin, rng)
    if "bag" in worn:
        _bag(body, rng)
    order = [name for name in ("hat", "shirt", "dress", "bag", "trousers", "skirt", "shoes") if name in worn]
    return drawing, [Seen(name, worn[name][0]) for name in order]


def _head(body: _Body, skin: Colour, rng: random.Random) -> None:
    (x0, y0), (x1, y1) = body.at((-0.6, 0.3), (0.6, 1.7))
    body.pen.pieslice((x0 - 3, y0 - 3, x1 + 3, y1), 180, 360, fill=rng.choice(HAIR))
    body.pen.ellipse((x0, y0 + 4, x1, y1), fill=skin)
    body.pen.rectangle((*body.at((-0.2, 1.5))[0], *body.at((0.2, 2.0))[0]), fill=skin)
    if "hat" not in body.worn:
        return
    colour = body.worn["hat"][1]
    box = (*body.at((-0.75, -0.25))[0], *body.at((0.75, 1.4))[0])
    body.pen.pieslice(box, 180, 360, fill=colour, outline=_ink(colour))
    brim = rng.choice(((-1.15, 1.15), (-0.75, 1.4), (-1.4, 0.75)))
    body.part(((brim[0], 0.5), (brim[1], 0.5), (brim[1], 0.75), (brim[0], 0.75)), colour)
    body.name("hat", brim[0], -0.25, brim[1], 0.75)


def _lower(body: _Body, skin: Colour, rng: random.Random) -> None:
    apart = rng.uniform(0.25, 0.5)
    for side in (-1, 1):
        body.limb((side * 0.4, 4.2), (side * (apart + 0.15), 7.3), skin)
    if "trousers" in body.worn:
        colour, end = body.worn["trousers"][1], rng.choice((7.2, 7.2, 5.6))
        for side in (-1, 1):
            body.part(((0, 4), (side * 0.95, 4), (side * (apart + 0.5), end), (side * (apart - 0.2), end)), colour)
        body.name("trousers", -0.95, 4, 0.95, end)
    if "skirt" in body.worn:
        end = rng.uniform(5.4, 6.4)
        body.part(((-0.8, 4), (0.8, 4), (1.3, end), (-1.3, end)), body.worn["skirt"][1])
        body.name("skirt", -1.3, 4, 1.3, end)
    colour = body.worn["shoes"][1]
    for side in (-1, 1):
        inner, outer = side * (apart - 0.3), side * (apart + 0.85)
        body.part(((inner, 7.15), (outer, 7.3), (outer, 7.85), (inner, 7.85)), colour)
    body.name("shoes", -apart - 0.85, 7.15, apart + 0.85, 7.85)


def _upper(body: _Body, skin: Colour, rng: random.Random) -> None:
    for side in (-1, 1):
        body.limb((side * 1.1, 2.2), (side * rng.uniform(1.3, 1.8), 4.4), skin)
    if "dress" in body.worn:
        colour, end = body.worn["dress"][1], rng.uniform(5.6, 6.8)
        body.part(((-0.9, 1.8), (0.9, 1.8), (0.75, 3.6), (1.5, end), (-1.5, end), (-0.75, 3.6)), colour)
        body.name("dress", -1.3, 1.8, 1.3, end)
        return
    colour = body.worn["shirt"][1]
    cuff = rng.choice(((1.5, 3.1), (1.5, 3.1), (1.75, 4.2)))
    for side in (-1, 1):
        body.part(
            ((side * 0.7, 1.8), (side * 1.05, 1.9), (side * cuff[0], cuff[1]), (side * 0.95, cuff[1] + 0.2)), colour
        )
    body.part(((-1, 1.8), (1, 1.8), (0.95, 4.15), (-0.95, 4.15)), colour)
    body.name("shirt", -1.2, 1.8, 1.2, 4.15)


def _bag(body: _Body, rng: random.Random) -> None:
    colour, side = body.worn["bag"][1], rng.choice((-1, 1))
    body.pen.line(body.at((side * 1.8, 4.5), (side * 0.6, 1.9)), fill=_ink(colour), width=2)
    body.part(((side * 1.25, 4.2), (side * 2.45, 4.2), (side * 2.55, 5.5), (side * 1.15, 5.5)), colour)
    left, right = sorted((side * 1.15, side * 2.55))
    body.name("bag", left, 4.2, right, 5.5)


def room(rng: random.Random) -> tuple[Drawing, list[Seen]]:
    """A corner of a room: a sofa in front of a wall with a window, two or three things about."""
    side = rng.choice((256, 288, 320, 320))
    drawing = (
        backdrop(side, side, rng) if rng.random() < 0.4 else Drawing(Image.new("RGB", (side, side), (206, 212, 204)))
    )
    pen = ImageDraw.Draw(drawing.image)
    demo = rng.random() < 0.5
    floor = round(side * (0.62 if demo else rng.uniform(0.55, 0.72)))
    wood = (164, 128, 96) if demo else near(rng, (160, 128, 100), 40)
    pen.rectangle((0, floor, side, side), fill=wood)
    for board in range(0, side, side // 10):
        pen.line((board, floor, board * 1.6 - side * 0.3, side), fill=shade(wood, 0.84), width=1)
    x, y = (0.62, 0.08) if demo else (rng.uniform(0.05, 0.66), rng.uniform(0.04, 0.12))
    pane = (side * x, side * y, side * (x + 0.28), side * (y + 0.32))
    if demo or rng.random() < 0.7:
        pen.rectangle(pane, fill=(190, 214, 230), outline=(250, 250, 248), width=max(2, side // 80))
    sofa = "grey" if demo else rng.choice(list(COLOURS))
    tone = (118, 126, 142) if demo else near(rng, COLOURS[sofa], 10)
    shift = 0 if demo else rng.uniform(-0.04, 0.26) * side
    pen.rounded_rectangle((side * 0.06 + shift, side * 0.42, side * 0.66 + shift, side * 0.78), side // 20, fill=tone)
    seat = (side * 0.02 + shift, side * 0.54, side * 0.7 + shift, side * 0.82)
    pen.rounded_rectangle(seat, side // 22, fill=shade(tone, 1.12))
    drawing.mark((seat[0], side * 0.42, seat[2], seat[3]), "category:sofa", f"colour:{sofa}")
    return drawing, [Seen("sofa", sofa), *_about(drawing, side, rng)]


def _about(drawing: Drawing, side: int, rng: random.Random) -> list[Seen]:
    """Things in the room, from left to right."""
    count = rng.choice((2, 3, 3))
    shapes = rng.sample(("cushion", "lamp", "blanket", "book", "bag", "mug"), count)
    if rng.random() < 0.4:
        shapes = ["cushion", "lamp", "blanket"][:count]
    seen = []
    for number, shape in enumerate(shapes):
        thing = any_thing(rng, shape=shape)
        put(drawing, thing, (side * (0.2 + 0.28 * number), side * rng.uniform(0.6, 0.7)), side * 0.3, rng)
        seen.append(Seen(thing.category, thing.colour, thing.style))
    return seen


def device(rng: random.Random) -> tuple[Drawing, list[Seen]]:
    """A box with a small lamp that shines."""
    side = rng.choice((224, 256, 288))
    drawing = backdrop(side, side, rng)
    pen = ImageDraw.Draw(drawing.image)
    name, colour, light = rng.choice(DEVICES), rng.choice(("black", "white", "grey")), rng.choice(list(LIGHTS))
    tone = near(rng, COLOURS[colour], 8)
    wide, high = {"router": (0.7, 0.25), "power bank": (0.35, 0.65), "speaker": (0.5, 0.6)}[name]
    x, y = side * rng.uniform(0.1, 0.9 - wide), side * (0.9 - high) - rng.uniform(0, 0.08) * side
    box = (x, y, x + side * wide, y + side * high)
    if name == "router":
        for share in (0.1, 0.9):
            pen.line((x + side * wide * share, y, x + side * wide * share, y - side * 0.3), fill=_ink(tone), width=5)
    pen.rounded_rectangle(box, side // 24, fill=tone, outline=_ink(tone), width=2)
    if name == "speaker":
        middle, reach = x + side * wide / 2, side * wide * 0.36
        pen.ellipse(
            (middle - reach, y + side * 0.16, middle + reach, y + side * 0.16 + 2 * reach), fill=shade(tone, 0.6)
        )
    a, b, r = x + side * wide * rng.uniform(0.2, 0.8), y + side * 0.07, side * 0.028
    pen.ellipse((a - 2 * r, b - 2 * r, a + 2 * r, b + 2 * r), fill=shade(LIGHTS[light], 0.6))
    pen.ellipse((a - r, b - r, a + r, b + r), fill=LIGHTS[light])
    drawing.mark(box, f"category:{name}", f"colour:{colour}")
    drawing.mark((a - 2 * r, b - 2 * r, a + 2 * r, b + 2 * r), f"style:{light} light")
    return drawing, [Seen(name, colour, f"{light} light")]
