"""Text from the glyphs of this package: the same on every machine, no font needed."""

import json
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageChops

from cs_bot.demo.tiny.frames import Colour, Drawing

FILES = Path(__file__).parent
MASTER, CELL, ASCENT = 32, 42, 32  # size of the drawn letters, of their cells, and the baseline's place in a cell
DIGIT_FACES = ("sans", "sans", "bold", "dejavu", "dejavu-bold", "mono", "condensed", "serif", "courier", "noto")


class Glyph(NamedTuple):
    """A letter at one size: where it is inked from the pen's place on the baseline, and how far the pen moves."""

    mask: Image.Image | None
    left: int
    top: int
    advance: float


@cache
def _sheet() -> tuple[Image.Image, dict[str, dict[str, tuple[int, float]]]]:
    told = json.loads((FILES / "glyphs.json").read_text("utf-8"))
    with Image.open(FILES / "glyphs.png") as file:
        return file.convert("L"), told


@lru_cache(maxsize=20_000)
def glyph(sign: str, size: int, face: str, thick: bool) -> Glyph:
    """One letter of a face, from another face where it lacks it; `thick` for bold."""
    sheet, faces = _sheet()
    found = next((faces[name][sign] for name in (face, "sans", "cjk") if sign in faces[name]), None)
    scale = size / MASTER
    if found is None:
        return Glyph(None, 0, 0, (1.0 if sign == "　" else 0.3) * size)
    number, advance = found
    columns = sheet.width // CELL
    x, y = number % columns * CELL, number // columns * CELL
    side = max(1, round(CELL * scale))
    cell = sheet.crop((x, y, x + CELL, y + CELL))
    if thick and face not in ("bold", "dejavu-bold"):
        cell = ImageChops.lighter(cell, ImageChops.offset(cell, 1, 0))
    mask = cell.resize((side, side), Image.Resampling.BICUBIC)
    box = mask.getbbox()
    if box is None:
        return Glyph(None, 0, 0, advance * scale)
    return Glyph(mask.crop(box), box[0] - round(scale), box[1] - round(ASCENT * scale), advance * scale)


def length(text: str, size: int, face: str = "sans") -> float:
    """How wide a line will be."""
    return sum(glyph(sign, size, face, False).advance for sign in text)


def _laid(text: str, size: int, face: str, thick: bool) -> Iterator[tuple[str, Glyph, float]]:
    x = 0.0
    for sign in text:
        one = glyph(sign, size, face, thick)
        yield sign, one, x
        x += one.advance


def write(
    drawing: Drawing,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: Colour,
    *,
    face: str = "sans",
    thick: bool = False,
    digits: bool = False,
) -> float:
    """Write a line whose letters' top is at `at`; gives its width. `digits` marks each digit with its box."""
    base = at[1] + size * 0.88
    end = 0.0
    for sign, one, x in _laid(text, size, face, thick):
        end = x + one.advance
        if one.mask is None:
            continue
        left, top = round(at[0] + x) + one.left, round(base) + one.top
        drawing.image.paste(colour, (left, top), one.mask)
        if digits and sign in "0123456789":
            drawing.mark((left, top, left + one.mask.width, top + one.mask.height), f"digit:{sign}")
    return end
