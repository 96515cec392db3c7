"""What happens to a shop's picture before it comes back: pure functions of (picture, random numbers)."""

import io
import random
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from tests.likeness.draw import font

Picture = Image.Image
Change = Callable[[Picture, random.Random], Picture]

LINES = (
    "Do you have this one?", "How much is it", "Hi!", "Free shipping today", "in stock?", "thanks :)",
    "See you at 5", "Add to cart", "4.8 (1,203 reviews)", "$ 39.90", "Ships in 24 h", "Is this available in M?",
)  # fmt: skip


def jpeg(picture: Picture, quality: int) -> Picture:
    """Saved as JPEG and opened again."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def scaled(picture: Picture, factor: float) -> Picture:
    """Smaller or larger."""
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.LANCZOS)


def crop(picture: Picture, rng: random.Random, share: float) -> Picture:
    """A window of `share` of each side, somewhere near the middle."""
    wide, high = round(picture.width * share), round(picture.height * share)
    left = round((picture.width - wide) * rng.uniform(0.25, 0.75))
    top = round((picture.height - high) * rng.uniform(0.25, 0.75))
    return picture.crop((left, top, left + wide, top + high))


def rotate(picture: Picture, rng: random.Random, degrees: float) -> Picture:
    """Turned one way or the other; the corners are filled with one colour."""
    fill = rng.choice(((255, 255, 255), (0, 0, 0), (120, 120, 120)))
    return picture.rotate(rng.choice((1, -1)) * degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)


def light(picture: Picture, rng: random.Random) -> Picture:
    """Brighter or darker, with more or less contrast."""
    brighter = rng.choice((rng.uniform(0.65, 0.85), rng.uniform(1.15, 1.4)))
    return ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(brighter)).enhance(rng.uniform(0.85, 1.15))


def overlay(picture: Picture, rng: random.Random) -> Picture:
    """A sticker of a sale or a watermark laid over it."""
    made = picture.convert("RGBA")
    layer = Image.new("RGBA", made.size)
    pen = ImageDraw.Draw(layer)
    wide, high = made.size
    if rng.random() < 0.5:
        top = rng.choice((0.02, 0.84)) * high
        pen.rectangle((0, top, wide * rng.uniform(0.4, 1), top + 0.13 * high), fill=(220, 30, 50, 255))
        pen.text((0.03 * wide, top + 0.03 * high), f"SALE -{rng.randint(10, 70)}%", font=font(high // 14), fill="white")
    else:
        pen.text((wide * 0.5, high * rng.uniform(0.2, 0.8)), f"@shop_{rng.randint(100, 999)}", font=font(high // 16),
                 fill=(255, 255, 255, 150), stroke_width=1, stroke_fill=(90, 90, 90, 150), anchor="mm")  # fmt: skip
    return Image.alpha_composite(made, layer).convert("RGB")


def perspective(picture: Picture, rng: random.Random) -> Picture:
    """Photographed from a screen at an angle, with some of the screen's surroundings."""
    wide, high = picture.size
    lean, pad = 0.08 * wide, round(0.1 * wide)
    source = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    off = np.array([(rng.uniform(-lean, lean), rng.uniform(-lean, lean)) for _ in range(4)], np.float32)
    target = source + pad + off
    canvas = np.full((high + 2 * pad, wide + 2 * pad, 3), rng.randint(15, 90), np.uint8)
    matrix = cv2.getPerspectiveTransform(source, target)
    size = (canvas.shape[1], canvas.shape[0])
    mask = cv2.warpPerspective(np.full((high, wide), 255, np.uint8), matrix, size)[..., None] / 255
    pixels = canvas * (1 - mask) + cv2.warpPerspective(np.asarray(picture), matrix, size) * mask
    pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.0)) * rng.uniform(0.9, 1.05)
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 2.5, pixels.shape)
    return jpeg(Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)), 75)


def mirror(picture: Picture, rng: random.Random) -> Picture:
    """Flipped left to right."""
    return jpeg(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 80)


def chat(picture: Picture, rng: random.Random) -> Picture:
    """A screenshot of a chat that shows the picture."""
    wide, high = 720, rng.randint(1100, 1500)
    paper = rng.choice(((237, 237, 237), (255, 255, 255), (17, 17, 17), (231, 223, 210)))
    ink = (30, 30, 30) if sum(paper) > 300 else (230, 230, 230)
    screen = Image.new("RGB", (wide, high), paper)
    pen = ImageDraw.Draw(screen)
    pen.rectangle((0, 0, wide, 90), fill=tuple(round(0.96 * c) for c in paper))
    pen.text((wide / 2, 45), "Customer service", font=font(30), fill=ink, anchor="mm")
    y, shown = 120, False
    while y < high - 200:
        mine = rng.random() < 0.5
        pen.ellipse((640 if mine else 16, y, 704 if mine else 80, y + 64), fill=(120, 150, 180))
        if not shown and (rng.random() < 0.5 or y > high - 620):
            small = picture.copy()
            small.thumbnail((rng.randint(300, 420),) * 2, Image.Resampling.LANCZOS)
            mask = Image.new("L", small.size)
            ImageDraw.Draw(mask).rounded_rectangle((0, 0, *small.size), 14, fill=255)
            screen.paste(small, (624 - small.width if mine else 96, y), mask)
            y, shown = y + small.height + 30, True
            continue
        line = rng.choice(LINES)
        length = round(pen.textlength(line, font=font(28))) + 40
        left = 624 - length if mine else 96
        pen.rounded_rectangle((left, y, left + length, y + 70), 12, fill=(149, 236, 105) if mine else (255, 255, 255))
        pen.text((left + 20, y + 35), line, font=font(28), fill=(20, 20, 20), anchor="lm")
        y += 100
    return jpeg(screen, 80)


def page(picture: Picture, rng: random.Random) -> Picture:
    """A screenshot of a product page with the picture on top."""
    wide, high = 720, rng.randint(1150, 1500)
    screen = Image.new("RGB", (wide, high), (255, 255, 255))
    pen = ImageDraw.Draw(screen)
    pen.rectangle((0, 0, wide, 70), fill=(248, 248, 248))
    pen.text((24, 35), "<   Shop", font=font(28), fill=(50, 50, 50), anchor="lm")
    side = rng.choice((720, 720, 640, 560))
    screen.paste(picture.resize((side, side), Image.Resampling.LANCZOS), ((wide - side) // 2, 70))
    y = 70 + side + 30
    pen.text((24, y), f"$ {rng.randint(5, 300)}.{rng.randint(0, 99):02d}", font=font(44), fill=(220, 40, 30))
    for n in range(rng.randint(2, 4)):
        pen.text((24, y + 70 + 44 * n), rng.choice(LINES) + " " + rng.choice(LINES), font=font(26), fill=(40, 40, 40))
    pen.rounded_rectangle((24, high - 100, 350, high - 20), 40, fill=(255, 150, 0))
    pen.rounded_rectangle((370, high - 100, 696, high - 20), 40, fill=(240, 60, 30))
    pen.text((187, high - 60), "Add to cart", font=font(30), fill="white", anchor="mm")
    pen.text((533, high - 60), "Buy now", font=font(30), fill="white", anchor="mm")
    return jpeg(screen, 80)


CHANGES: dict[str, Change] = {
    "jpeg 30": lambda p, r: jpeg(p, 30),
    "x 0.25": lambda p, r: jpeg(scaled(p, 0.25), 85),
    "re-posted twice": lambda p, r: jpeg(scaled(jpeg(scaled(p, 1.7), 60), 0.45), 70),
    "crop 80": lambda p, r: jpeg(crop(p, r, 0.8), 85),
    "crop 60": lambda p, r: jpeg(crop(p, r, 0.6), 85),
    "rotate 5": lambda p, r: jpeg(rotate(p, r, 5), 85),
    "rotate 20": lambda p, r: jpeg(rotate(p, r, 20), 85),
    "light": lambda p, r: jpeg(light(p, r), 85),
    "chat screen": chat,
    "product page": page,
    "overlay": lambda p, r: jpeg(overlay(p, r), 85),
    "perspective": perspective,
    "mirror": mirror,
}
