"""Draws the demo shop's goods with Pillow alone: things with prints on a backdrop, and what customers make of them."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

from cs_bot.demo.goods import COLOURS, DemoProduct

SIDE = 640
QUALITY = 80
REPOSTED = ("mug-2", "shirt-1", "bag-3", "mug-1-other")
ON_PHONES = ("cushion-2", "shoe-3")
SHOWN = (  # the files of what customers send
    *(f"repost-{key}.jpg" for key in REPOSTED),
    *(f"page-{key}.jpg" for key in ON_PHONES),
    "two-bottles.jpg",
    "two-mugs.jpg",
    "one-known.jpg",
    "room.jpg",
)
Point = tuple[float, float]
BACKDROPS = ((232, 228, 220), (222, 228, 232), (236, 226, 226), (224, 230, 220))


def draw_goods(products: Sequence[DemoProduct], folder: Path) -> Iterator[Path]:
    """Write every product's picture and what customers send of them into `folder`, yielding each path when written."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {product.key: draw_product(product) for product in products}
    by_key = {product.key: product for product in products}
    files: dict[str, Image.Image] = {by_key[key].picture: picture for key, picture in drawn.items()}
    for name, picture in (files | shown_by_customers(drawn, by_key)).items():
        path = folder / name
        picture.save(path, "JPEG", quality=QUALITY)
        yield path


def shown_by_customers(drawn: Mapping[str, Image.Image], by_key: Mapping[str, DemoProduct]) -> dict[str, Image.Image]:
    """SHOWN file name -> picture: reposted, on a phone's page, side by side, in a room."""
    room_of = [by_key[key] for key in ("cushion-1", "lamp-1", "blanket-1")]
    pictures = (
        *(reposted(drawn[key]) for key in REPOSTED),
        *(on_a_phone(drawn[key]) for key in ON_PHONES),
        beside(drawn["bottle-1"], drawn["bottle-2"]),
        beside(drawn["mug-1"], drawn["mug-1-other"], gap=24),
        beside(drawn["book-1"], drawn["unknown-cushion"], gap=24),
        room(room_of, by_key["lamp-1"].art_seed),
    )
    return dict(zip(SHOWN, pictures, strict=True))


def draw_product(product: DemoProduct, side: int = SIDE) -> Image.Image:
    """Its picture in the shop: the thing in the middle of a plain backdrop, `side` x `side` RGB."""
    rng = random.Random(product.art_seed)
    picture = backdrop(side, BACKDROPS[rng.randrange(len(BACKDROPS))], seed=product.art_seed)
    return place(picture, product, (side * 0.5, side * 0.52), side * 0.8)


def place(scene: Image.Image, product: DemoProduct, middle: Point, size: float) -> Image.Image:
    """The scene with the thing in it, `size` pixels high, its shadow under it."""
    side = round(size)
    mask, cloth = outline(product.shape, side), cloth_of(product, side)
    left, top = round(middle[0] - side / 2), round(middle[1] - side / 2)
    shadow = Image.new("L", scene.size)
    foot = (left + side * 0.18, top + side * 0.88, left + side * 0.82, top + side * 0.97)
    ImageDraw.Draw(shadow).ellipse(foot, fill=90)
    shadow = shadow.filter(ImageFilter.GaussianBlur(side / 40))
    placed = Image.composite(Image.new("RGB", scene.size, (60, 56, 52)), scene, shadow)
    placed.paste(cloth, (left, top), mask)
    return placed


def backdrop(side: int, colour: tuple[int, int, int], *, seed: int) -> Image.Image:
    """A wall with a little light and grain."""
    noise = np.random.default_rng(seed).normal(0, 2.0, (side, side, 1))
    light = np.linspace(8, -14, side)[:, None, None]
    return Image.fromarray(np.clip(np.array(colour) + light + noise, 0, 255).astype(np.uint8))


def room(products: list[DemoProduct], seed: int, side: int = 800) -> Image.Image:
    """A corner of a room with some things standing about: a scene, not a product."""
    rng = random.Random(seed)
    wall = backdrop(side, (206, 212, 204), seed=seed)
    pen = ImageDraw.Draw(wall)
    floor = round(side * 0.62)
    pen.rectangle((0, floor, side, side), fill=(164, 128, 96))
    for board in range(0, side, 80):
        pen.line((board, floor, board * 1.6 - side * 0.3, side), fill=(138, 104, 76), width=3)
    pen.rectangle(
        (side * 0.62, side * 0.08, side * 0.9, side * 0.4), fill=(190, 214, 230), outline=(250, 250, 248), width=10
    )
    pen.rounded_rectangle((side * 0.06, side * 0.42, side * 0.66, side * 0.78), 40, fill=(118, 126, 142))
    pen.rounded_rectangle((side * 0.02, side * 0.54, side * 0.7, side * 0.82), 36, fill=(134, 142, 158))
    for number, product in enumerate(products):
        wall = place(wall, product, (side * (0.2 + 0.28 * number), side * rng.uniform(0.6, 0.7)), side * 0.3)
    return wall


def beside(left: Image.Image, right: Image.Image, gap: int = 0) -> Image.Image:
    """Two pictures next to each other, as customers put them together."""
    height = min(left.height, right.height)
    joined = Image.new("RGB", (left.width + gap + right.width, height), "white")
    joined.paste(left, (0, 0))
    joined.paste(right, (left.width + gap, 0))
    return joined


def reposted(picture: Image.Image) -> Image.Image:
    """As it comes back from a chat: smaller, cropped a little, paler."""
    width, height = picture.size
    cut = picture.crop((round(width * 0.05), round(height * 0.04), round(width * 0.97), round(height * 0.96)))
    return ImageEnhance.Brightness(cut.resize((480, 480))).enhance(1.06)


def on_a_phone(picture: Image.Image, title: str = "SHOP") -> Image.Image:
    """In a screenshot of a page: bars above and below, the picture between them."""
    page = Image.new("RGB", (750, 1334), "white")
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, 0, 750, 90), fill=(245, 245, 245))
    pen.text((330, 36), title, fill=(60, 60, 60))
    page.paste(picture.resize((750, 750)), (0, 90))
    for row in range(5):
        pen.rounded_rectangle((30, 880 + row * 64, 720 - row * 110, 910 + row * 64), 8, fill=(232, 232, 232))
    pen.rounded_rectangle((380, 1240, 720, 1310), 34, fill=(236, 96, 60))
    return page


def outline(shape: str, side: int) -> Image.Image:
    """Where the thing is: drawn four times as large, so that its edge is smooth."""
    big = side * 4
    mask = Image.new("L", (big, big))
    SHAPES[shape](ImageDraw.Draw(mask), big / 100)
    return mask.resize((side, side), Image.Resampling.LANCZOS)


def _scaled(points: str, unit: float) -> list[Point]:
    numbers = [float(number) * unit for number in points.split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _mug(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.ellipse((62 * u, 38 * u, 90 * u, 68 * u), outline=255, width=round(6 * u))
    pen.polygon(_scaled("20 24 72 24 69 84 64 90 28 90 23 84", u), fill=255)
    pen.ellipse((20 * u, 19 * u, 72 * u, 29 * u), fill=255)


def _shirt(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.polygon(_scaled("34 14 42 20 58 20 66 14 92 30 83 48 72 43 72 90 28 90 28 43 17 48 8 30", u), fill=255)


def _bag(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.arc((32 * u, 6 * u, 68 * u, 70 * u), 180, 360, fill=255, width=round(5 * u))
    pen.polygon(_scaled("16 38 84 38 78 92 22 92", u), fill=255)


def _shoe(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.polygon(_scaled("6 66 10 48 26 30 32 36 46 40 54 38 64 50 90 58 96 66 96 74 6 74", u), fill=255)
    pen.rounded_rectangle((4 * u, 70 * u, 97 * u, 82 * u), 5 * u, fill=255)


def _bottle(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.rounded_rectangle((40 * u, 6 * u, 60 * u, 24 * u), 4 * u, fill=255)
    pen.rounded_rectangle((33 * u, 22 * u, 67 * u, 93 * u), 11 * u, fill=255)


def _cushion(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.polygon(_scaled("10 14 50 19 90 14 85 52 90 90 50 85 10 90 15 52", u), fill=255)


def _lamp(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.polygon(_scaled("36 10 64 10 84 52 16 52", u), fill=255)
    pen.rectangle((46 * u, 50 * u, 54 * u, 86 * u), fill=255)
    pen.rounded_rectangle((28 * u, 84 * u, 72 * u, 94 * u), 5 * u, fill=255)


def _book(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.rounded_rectangle((20 * u, 8 * u, 80 * u, 93 * u), 4 * u, fill=255)


def _socks(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.polygon(_scaled("22 8 44 8 44 54 66 72 62 90 48 92 22 64", u), fill=255)
    pen.polygon(_scaled("54 12 74 12 74 50 92 66 88 82 76 84 54 60", u), fill=255)


def _blanket(pen: ImageDraw.ImageDraw, u: float) -> None:
    for top in (20, 42, 64):
        pen.rounded_rectangle((10 * u, top * u, 90 * u, (top + 26) * u), 9 * u, fill=255)


SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, float], None]] = {
    "mug": _mug,
    "shirt": _shirt,
    "bag": _bag,
    "shoe": _shoe,
    "bottle": _bottle,
    "cushion": _cushion,
    "lamp": _lamp,
    "book": _book,
    "socks": _socks,
    "blanket": _blanket,
}


def cloth_of(product: DemoProduct, side: int) -> Image.Image:
    """The print all over, with light from the left."""
    rng = random.Random(product.art_seed)
    ground, figure = (COLOURS[name][2] for name in (product.colour, product.second_colour))
    cloth = Image.new("RGB", (side, side), ground)
    PRINTS[product.design](ImageDraw.Draw(cloth), side, rng, figure)
    _mark(ImageDraw.Draw(cloth), side, rng)
    x = np.linspace(0, 1, side)
    light = (255 - 70 * np.abs(x - 0.35) ** 1.2)[None, :].repeat(side, axis=0)
    shade = Image.fromarray(light.astype(np.uint8)).convert("RGB")
    return ImageChops.multiply(cloth, shade)


def _mark(pen: ImageDraw.ImageDraw, side: int, rng: random.Random) -> None:
    """A patch with a mark of its own, as makers sew on."""
    x, y, size = side * rng.uniform(0.36, 0.5), side * rng.uniform(0.4, 0.6), side * 0.12
    pen.rectangle((x, y, x + size, y + size * 0.7), fill=(250, 248, 240), outline=(40, 40, 40), width=2)
    for _ in range(5):
        a, b = x + size * rng.uniform(0.1, 0.8), y + size * rng.uniform(0.08, 0.5)
        pen.ellipse((a, b, a + size * 0.14, b + size * 0.14), fill=tuple(rng.randrange(30, 200) for _ in range(3)))


Figure = tuple[int, int, int]


def _stripes(pen: ImageDraw.ImageDraw, side: int, rng: random.Random, figure: Figure) -> None:
    lean, step = rng.uniform(-0.5, 0.5), side / rng.randint(7, 12)
    for number in range(-10, 30):
        x = number * step + rng.uniform(-0.2, 0.2) * step
        width = round(step * rng.uniform(0.2, 0.5))
        pen.line((x, 0, x + lean * side, side), fill=figure, width=width)


def _checks(pen: ImageDraw.ImageDraw, side: int, rng: random.Random, figure: Figure) -> None:
    step = side / rng.randint(6, 10)
    for number in range(20):
        place, width = number * step, round(step * rng.uniform(0.08, 0.4))
        pen.line((place, 0, place, side), fill=figure, width=width)
        pen.line((0, place, side, place), fill=figure, width=width)


def _dots(pen: ImageDraw.ImageDraw, side: int, rng: random.Random, figure: Figure) -> None:
    for _ in range(rng.randint(60, 120)):
        x, y, r = rng.uniform(0, side), rng.uniform(0, side), side * rng.uniform(0.008, 0.032)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=figure)


def _terrazzo(pen: ImageDraw.ImageDraw, side: int, rng: random.Random, figure: Figure) -> None:
    for _ in range(rng.randint(90, 140)):
        x, y, r = rng.uniform(0, side), rng.uniform(0, side), side * rng.uniform(0.015, 0.045)
        tone = rng.uniform(0.6, 1.2)
        colour = tuple(min(255, round(part * tone)) for part in figure)
        corners = [(x + rng.uniform(-r, r), y + rng.uniform(-r, r)) for _ in range(rng.randint(3, 6))]
        pen.polygon(corners, fill=colour)


def _leaves(pen: ImageDraw.ImageDraw, side: int, rng: random.Random, figure: Figure) -> None:
    for _ in range(rng.randint(9, 14)):
        x, y, length = rng.uniform(0, side), rng.uniform(0, side), side * rng.uniform(0.14, 0.26)
        dx, dy = rng.uniform(-1, 1), rng.uniform(-1, 1)
        pen.line((x, y, x + dx * length, y + dy * length), fill=figure, width=max(2, side // 160))
        for share in (0.2, 0.4, 0.6, 0.8, 1.0):
            a, b, r = x + dx * length * share, y + dy * length * share, side * 0.022
            pen.ellipse((a - r, b - r * 2, a + r, b), fill=figure)
            pen.ellipse((a - r * 2, b, a, b + r), fill=figure)


def _waves(pen: ImageDraw.ImageDraw, side: int, rng: random.Random, figure: Figure) -> None:
    for row in range(rng.randint(7, 11)):
        y, reach, phase = row * side / 9, side * rng.uniform(0.02, 0.05), rng.uniform(0, 6)
        swing = rng.uniform(18, 40)
        points = [(x, y + reach * np.sin(x / side * swing + phase)) for x in range(0, side + 8, 8)]
        pen.line(points, fill=figure, width=round(side * rng.uniform(0.01, 0.03)))


PRINTS: dict[str, Callable[[ImageDraw.ImageDraw, int, random.Random, Figure], None]] = {
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "terrazzo": _terrazzo,
    "leaves": _leaves,
    "waves": _waves,
}
