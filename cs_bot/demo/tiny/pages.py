"""Screenshots of the demo's own pages with other orders, shrunk, as an optional extra of the training.

    python -m cs_bot.demo.tiny.pages --into DIR

Needs chromium and fonts-noto-cjk; nothing of it is committed. `samples.use_pages` mixes the pictures in. The
demo's own seeds are left out, so that its pictures stay new to the checkpoint.
"""

import argparse
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from cs_bot.demo import draw
from cs_bot.demo.draw import PAGES, Page
from cs_bot.demo.orders import make_orders
from cs_bot.demo.tiny.frames import Drawing, fitted
from cs_bot.demo.tiny.labels import CHATS
from cs_bot.demo.tiny.phones import without_its_side
from cs_bot.demo.tiny.things import COLOURS
from cs_bot.errors import ConfigError

FIRST_SEED = 9001  # no shop of the demo has these
INDEX, QUALITY = "pages.jsonl", 92
ORDERS = tuple(page for page in PAGES if page.order and page.name != "broken.jpg")
MUG = {"#fffaf0": 1.04, "#efe5d3": 1.0, "#b9a98f": 0.72, "#d9ccb5": 0.9, "#d6c8b0": 0.86}  # its colours' light


class Shot(NamedTuple):
    """One picture of the pack. `kind` as classify answers; `several` orders; the colour of a mug."""

    file: str
    kind: str
    several: bool = False
    colour: str = ""


class Pack:
    """The pictures of a folder that `main` wrote."""

    def __init__(self, folder: Path) -> None:
        rows = [json.loads(line) for line in (folder / INDEX).read_text("utf-8").splitlines()]
        self._shots = [Shot(**row) for row in rows]
        self._files = {shot.file: (folder / shot.file).read_bytes() for shot in self._shots}
        self.kinds = {shot.kind for shot in self._shots}

    def pick(self, kind: str, rng: random.Random) -> tuple[Drawing, Shot]:
        """One of a kind, perhaps cut at its foot."""
        shot = rng.choice([one for one in self._shots if one.kind == kind])
        with Image.open(io.BytesIO(self._files[shot.file])) as file:
            image = file.convert("RGB")
        drawing = Drawing(image)
        if kind == "order" and rng.random() < 0.1:
            return without_its_side(drawing, rng), shot
        if kind != "product" and rng.random() < 0.2:
            drawing = drawing.cropped((0, 0, image.width, round(image.height * rng.uniform(0.8, 0.98))))
        if shot.colour:
            _mark_mug(drawing, shot.colour)
        return drawing.fitted(), shot


def _mark_mug(drawing: Drawing, colour: str) -> None:
    """Where photo.html has its mug: it fills the picture with a view of 400 x 500."""
    width, height = drawing.image.size
    scale = max(width / 400, height / 500)
    x, y = (width - 400 * scale) / 2, (height - 500 * scale) / 2
    box = (x + 106 * scale, y + 155 * scale, x + 318 * scale, y + 418 * scale)
    drawing.mark(box, "category:mug", f"colour:{colour}", "style:plain")


def shots(seed: int) -> Iterator[tuple[Shot, str, int]]:
    """What to draw for a seed: the picture, its page's HTML, the page's height."""
    rng = random.Random(f"pages/{seed}")
    by_key = {order.key: order for order in make_orders(seed)}
    for page in rng.sample(ORDERS, 24):
        yield Shot(f"{seed}-{page.name}", "order"), draw.render(page, by_key, seed), draw.HEIGHT
    for number in range(2):
        listed = tuple(
            rng.sample([key for key, one in by_key.items() if one.look in _LISTED], rng.choice((2, 3, 3, 4)))
        )
        html = draw.render(Page("list.png", "list.html", orders=listed), by_key, seed + number)
        yield Shot(f"{seed}-list-{number}.png", "order", several=True), html, draw.HEIGHT
    for number in range(3):
        chat = draw.render(Page("chat.png", "chat.html"), by_key, seed + number)
        yield Shot(f"{seed}-chat-{number}.png", "other"), said_otherwise(chat, rng), draw.HEIGHT
    for number in range(2):
        colour = rng.choice(("white", "white", *COLOURS))
        height = rng.choice((520, 520, 390, 600))
        photo = draw.render(Page("mug.jpg", "photo.html", opts={"height": height}), by_key, seed)
        yield Shot(f"{seed}-mug-{number}.png", "product", colour=colour), dyed(photo, colour, rng), height


_LISTED = ("taobao", "jd", "pdd", "douyin", "wechat")


def said_otherwise(html: str, rng: random.Random) -> str:
    """The page of a chat with other words, fewer or more of them."""
    bubbles = re.findall(r'<div class="m.*?</div></div>\n?', html)
    told = CHATS["zh"] * 3
    made = []
    for _ in range(rng.randint(3, 9)):
        words = " ".join(rng.sample(told, rng.choice((1, 1, 1, 2))))
        made.append(re.sub(r'(<div class="b">).*?(</div>)', rf"\g<1>{words}\g<2>", rng.choice(bubbles)))
    for bubble in bubbles[1:]:
        html = html.replace(bubble, "", 1)
    return html.replace(bubbles[0], "".join(made), 1)


def dyed(html: str, colour: str, rng: random.Random) -> str:
    """The photo of a mug in another colour, its wall and table in another light."""
    ground = (239, 229, 211) if colour == "white" else COLOURS[colour]
    for old, light in MUG.items():
        parts = (min(255, round(part * light)) for part in ground)
        html = html.replace(old, "#" + "".join(f"{part:02x}" for part in parts))
    return html.replace('seed="4"', f'seed="{rng.randrange(99)}"').replace('seed="9"', f'seed="{rng.randrange(99)}"')


def write(folder: Path, seeds: int) -> Iterator[Path]:
    """Draw them into `folder`, yielding each path when it is written. Raises ConfigError without chromium."""
    browser_path = draw.chromium()
    if browser_path is None:
        raise ConfigError("drawing needs chromium (apt install chromium fonts-noto-cjk)")
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, (folder / INDEX).open("w", encoding="utf-8") as index:
        browser = playwright.chromium.launch(executable_path=browser_path)
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            for shot, html, height in shots(seed):
                tab = browser.new_page(viewport={"width": draw.WIDTH, "height": height}, device_scale_factor=draw.SCALE)
                tab.set_content(html)
                taken = tab.screenshot(full_page=True)
                tab.close()
                shot = shot._replace(file=Path(shot.file).stem + ".webp")
                _shrunk(taken, {"jpeg": 80} if shot.kind == "product" else {}, folder / shot.file)
                index.write(json.dumps(shot._asdict()) + "\n")
                yield folder / shot.file
        browser.close()


def _shrunk(taken: bytes, options: dict[str, Any], path: Path) -> None:
    """As the checkpoint sees the customer's file."""
    with Image.open(io.BytesIO(draw.encode(taken, options))) as file:
        image = file.convert("RGB")
    image.resize(fitted(*image.size), Image.Resampling.BICUBIC).save(path, "WEBP", quality=QUALITY, method=6)


def main() -> None:
    """Draw the pages of some seeds."""
    parser = argparse.ArgumentParser(prog="python -m cs_bot.demo.tiny.pages", description=main.__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the folder, such as /var/tmp/pages")
    parser.add_argument("--seeds", type=int, default=10, help="how many shops' pages; 31 pictures each (default: 10)")
    args = parser.parse_args()
    for number, path in enumerate(write(args.into, args.seeds), start=1):
        print(f"\r{number} {path.name}   ", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
