"""A contact sheet of samples: each picture with its answer under it."""

import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw

from cs_bot.demo.tiny.frames import Drawing
from cs_bot.demo.tiny.letters import write
from cs_bot.demo.tiny.samples import Sample

WIDE, LINE, MOST_LINES = 340, 13, 9


def sheet(samples: Sequence[Sample], columns: int = 8) -> Image.Image:
    """All of them, with their marks' boxes drawn thin."""
    highest = max((sample.picture.shape[0] for sample in samples if sample.picture is not None), default=0)
    high = highest + MOST_LINES * LINE + 8
    page = Drawing(Image.new("RGB", (columns * WIDE, -(-len(samples) // columns) * high), (34, 34, 51)))
    for number, sample in enumerate(samples):
        x, y = number % columns * WIDE, number // columns * high
        if sample.picture is not None:
            shown = Image.fromarray(sample.picture)
            pen = ImageDraw.Draw(shown)
            for box, _ in sample.marks:
                pen.rectangle(box, outline=(255, 0, 255))
            page.image.paste(shown, (x, y))
        text = sample.answer if sample.picture is not None else f"{sample.text[-400:]} => {sample.answer}"
        for line, words in enumerate(textwrap.wrap(text, 48)[:MOST_LINES]):
            write(page, (x, y + highest + 2 + line * LINE), words, 12, (240, 240, 240))
    return page.image
