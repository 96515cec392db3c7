"""A page to print on: a cursor that goes down, lengths in the page's own unit."""

import random

from PIL import Image, ImageDraw

from cs_bot.demo.tiny.frames import Colour, Drawing
from cs_bot.demo.tiny.letters import length, write
from cs_bot.demo.tiny.things import COLOURS, mask_of

INK: Colour = (34, 34, 34)
GREY: Colour = (150, 150, 150)
WHITE: Colour = (255, 255, 255)


class Paper:
    """A page of `width` x `height` pixels; `unit` pixels are one of its own lengths. `y` is where it goes on."""

    def __init__(self, width: int, height: int, ground: Colour, unit: float = 1.0, face: str = "sans") -> None:
        self.drawing = Drawing(Image.new("RGB", (width, height), ground))
        self.pen = ImageDraw.Draw(self.drawing.image)
        self.unit, self.width, self.y, self.face = unit, width / unit, 0.0, face

    @property
    def left(self) -> float:
        """What is left of its height."""
        return self.drawing.image.height / self.unit - self.y

    def size(self, points: float) -> int:
        """A letter's height in pixels."""
        return max(4, round(points * self.unit))

    def text(
        self,
        x: float,
        text: str,
        points: float,
        colour: Colour = INK,
        *,
        down: float = 0,
        thick: bool = False,
        digits: bool = False,
        face: str = "",
        right: bool = False,
    ) -> tuple[float, float, float, float]:
        """A line that begins at `x`, or ends there (`right`), `down` below the cursor; gives its box in pixels."""
        size, face = self.size(points), face or self.face
        wide = length(text, size, face)
        left, top = x * self.unit - (wide if right else 0), (self.y + down) * self.unit
        write(self.drawing, (left, top), text, size, colour, face=face, thick=thick, digits=digits)
        return left, top, left + wide, top + size * 1.15

    def box(
        self,
        left: float,
        down: float,
        right: float,
        bottom: float,
        fill: Colour | None,
        *,
        radius: float = 0,
        edge: Colour | None = None,
    ) -> None:
        """A filled field; `down` and `bottom` count from the cursor."""
        u = self.unit
        corners = (left * u, (self.y + down) * u, right * u, (self.y + bottom) * u)
        if corners[2] <= corners[0] or corners[3] <= corners[1]:
            return
        self.pen.rounded_rectangle(corners, radius * u, fill=fill, outline=edge)

    def thumb(self, x: float, down: float, side: float, rng: random.Random) -> None:
        """A small picture of something."""
        self.box(x, down, x + side, down + side, rng.choice(((243, 239, 232), (238, 242, 243), (236, 236, 236))))
        pixels = max(8, round(side * self.unit * 0.9 / 2) * 2)
        shape = rng.choice(("mug", "shirt", "bag", "shoe", "bottle", "lamp", "socks", "book", "blanket"))
        mask = mask_of(shape, pixels, False, 0)
        at = (round((x + side * 0.05) * self.unit), round((self.y + down + side * 0.05) * self.unit))
        self.drawing.image.paste(COLOURS[rng.choice(list(COLOURS))], at, mask)
