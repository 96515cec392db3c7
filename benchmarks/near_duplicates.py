"""May near-duplicate photos share a look? `python benchmarks/near_duplicates.py [--pictures N] [--ocr]`.

Draws product photos with a small printed label, changes one digit of it (another product) or encodes the photo again
(the same one), and applies the pixel check that a perceptual level would rest on: both at 720 pixels of width, grey,
the largest 8x8 box mean of the difference below 40, and the largest difference of a 16x16 RGB grid below 12.
With --ocr it also asks the lite engine how often it reads the label: a digit that is read and not seen by the check
is a false look.
"""

import argparse
import io
import random
import time
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from rich.console import Console
from rich.table import Table

WIDTH, HEIGHT = 1080, 1080
HEIGHTS = (10, 12, 14, 16, 20, 24, 32)  # of the label's letters, in pixels of the original
GREY_MAX, COLOUR_MAX = 40, 12


def photo(seed: int, label: str, size: int) -> Image.Image:
    """A soft, noisy photo of a box with a label on it."""
    chance = random.Random(seed)
    colours = [tuple(chance.randrange(30, 226) for _ in range(3)) for _ in range(3)]
    noise = np.random.default_rng(seed).integers(-6, 7, (HEIGHT, WIDTH, 3))
    ramp = np.linspace(0.7, 1.1, HEIGHT)[:, None, None]
    base = np.clip(np.array(colours[0]) * ramp + noise, 0, 255).astype(np.uint8)
    picture = Image.fromarray(base)
    draw = ImageDraw.Draw(picture)
    left, top = chance.randrange(150, 350), chance.randrange(150, 350)
    draw.rectangle((left, top, left + 550, top + 500), fill=colours[1])
    picture = picture.filter(ImageFilter.GaussianBlur(1.2))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size * 1.35)  # its capitals are about 0.74 of the size
    place = (left + chance.randrange(40, 250), top + chance.randrange(40, 400))
    box = draw.textbbox(place, label, font=font)
    draw.rectangle((box[0] - 12, box[1] - 8, box[2] + 12, box[3] + 8), fill=(238, 238, 234))
    draw.text(place, label, font=font, fill=(40, 40, 44))
    return picture


def labels(seed: int) -> tuple[str, str]:
    """A product's code and another one's, one digit apart."""
    chance = random.Random(seed)
    digits = [str(chance.randrange(10)) for _ in range(4)]
    other = list(digits)
    at = chance.randrange(4)
    other[at] = chance.choice([d for d in "0123456789" if d != digits[at]])
    return "M-" + "".join(digits), "M-" + "".join(other)


def thumbnail(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Grey at 720 pixels of width, and a 16x16 grid of colours."""
    small = picture.resize((720, round(720 * picture.height / picture.width)), Image.Resampling.LANCZOS)
    grid = np.asarray(small.resize((16, 16), Image.Resampling.BOX), dtype=np.float32)
    return np.asarray(small.convert("L"), dtype=np.float32), grid


def same(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    """The pixel check."""
    difference = np.abs(one[0] - other[0])
    sums = np.pad(difference.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = (sums[8:, 8:] - sums[:-8, 8:] - sums[8:, :-8] + sums[:-8, :-8]) / 64
    return bool(boxes.max() < GREY_MAX and np.abs(one[1] - other[1]).max() < COLOUR_MAX)


def encoded(picture: Image.Image, form: str, quality: int, width: int = WIDTH) -> tuple[Image.Image, int]:
    """The picture after a platform encoded it again, and its bytes."""
    out = io.BytesIO()
    picture.resize((width, width), Image.Resampling.LANCZOS).save(out, form, quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB"), len(out.getvalue())


def reader() -> Callable[[Image.Image, str], bool]:
    """Whether the lite engine reads this label on a picture."""
    from cs_bot.vision.base import PictureInput, load_engine

    engine = load_engine("lite", threads=1, timeout_s=60)

    def reads(picture: Image.Image, label: str) -> bool:
        out = io.BytesIO()
        picture.save(out, "PNG")
        [look] = engine.look([PictureInput("0" * 64, out.getvalue())])
        return label in "".join(getattr(look, "lines", ())).replace(" ", "")

    return reads


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--ocr", action="store_true")
    told = parser.parse_args()
    console, reads = Console(), reader() if told.ocr else None
    table = Table("label height, px", "other product passes as the same", "its label is read", "same, JPEG 75, passes")
    for size in HEIGHTS:
        false = true = read = 0
        for seed in range(told.pictures):
            mine, others = labels(seed)
            one, other = photo(seed, mine, size), photo(seed, others, size)
            kept = thumbnail(one)
            passes = same(kept, thumbnail(encoded(other, "JPEG", 90)[0]))
            false += passes
            true += same(kept, thumbnail(encoded(one, "JPEG", 75)[0]))
            if reads is not None and passes:
                read += reads(one, mine) and reads(other, others)
        shown = f"{read} of {false}" if reads is not None else "not asked"
        table.add_row(str(size), f"{false} of {told.pictures}", shown, f"{true} of {told.pictures}")
    console.print(table)
    one = photo(0, "M-2089", 20)
    begun = time.perf_counter()
    kept = thumbnail(one)
    made = time.perf_counter()
    same(kept, kept)
    compared = time.perf_counter()
    small = Image.fromarray(kept[0].astype(np.uint8))
    size = encoded(small.convert("RGB"), "WEBP", 90, 720)[1]
    spent = f"thumbnail {1000 * (made - begun):.0f} ms, compare {1000 * (compared - made):.1f} ms"
    console.print(f"{spent}, kept {size / 1000:.0f} KB a picture")


if __name__ == "__main__":
    main()
