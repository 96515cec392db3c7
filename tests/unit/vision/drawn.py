"""Pages as the OCR would return them, made by hand: no OCR runs here."""

from collections.abc import Sequence

import numpy as np

from cs_bot.vision.lite.boxes import Page, TextBox, page_of
from cs_bot.vision.lite.fields import find, lines_of
from cs_bot.vision.lite.kinds import Findings
from cs_bot.vision.lite.lexicon import FORMATS
from cs_bot.vision.lite.ocr import Pixels

PITCH = 10.0  # pixels a character
HEIGHT = 20.0


def box(text: str, x: float, y: float, *, height: float = HEIGHT, slope: float = 0.0) -> TextBox:
    """A line of evenly spaced characters, PITCH pixels each, its left top corner at (x, y)."""
    width = PITCH * len(text)
    cuts = tuple((at + 0.5) / len(text) for at in range(len(text)))
    drop = slope * width
    quad = ((x, y), (x + width, y + drop), (x + width, y + drop + height), (x, y + height))
    return TextBox(text, 0.99, quad, cuts)


def page(rows: Sequence[str | tuple[str, ...]], *, width: int = 800) -> Page:
    """A page with a line every 40 pixels; a tuple stands for boxes side by side, the second one half-way across."""
    boxes = []
    for at, row in enumerate(rows):
        for column, text in enumerate((row,) if isinstance(row, str) else row):
            boxes.append(box(text, 40 + column * 370, 40 + 40 * at))
    return page_of(width, 120 + 40 * len(rows), boxes)


def findings(rows: Sequence[str | tuple[str, ...]]) -> Findings:
    """All candidates of a page."""
    made = page(rows)
    return find(made, lines_of(made), FORMATS)


def painted(made: Page, *, ground: int = 255, ink: int = 40) -> Pixels:
    """A picture on which each character of a page is a small upright rectangle."""
    picture = np.full((made.height, made.width, 3), ground, dtype=np.uint8)
    for one in made.boxes:
        for cut, sign in zip(one.cuts, one.text, strict=True):
            if sign.isspace():
                continue
            x, y = one.at(cut)
            left, top = round(x - 0.3 * PITCH), round(y - 0.35 * one.height)
            picture[top : round(y + 0.35 * one.height), left : left + 2] = ink
            picture[top : top + 2, left : left + round(0.6 * PITCH)] = ink
    return picture
