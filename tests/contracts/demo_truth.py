"""What a checkpoint says that sees the demo's pictures right, and one that sees them wrong; for openai_fake.FakeServer.

python -m tests.contracts.demo_truth [--wrong] [--port 8123] serves it in a process of its own: then
CSBOT_ENGINE__URL=http://127.0.0.1:8123/v1 cs-bot demo --once --engine openai.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cs_bot.demo import draw, words
from cs_bot.demo.goods import SHAPES, DemoProduct
from cs_bot.demo.orders import ZONE, DemoOrder
from cs_bot.demo.shop import DemoShop, load_shop
from cs_bot.images import accept_picture
from cs_bot.settings import EngineSettings
from cs_bot.vision.base import PictureInput
from cs_bot.vision.openai_server.pictures import Encoder
from cs_bot.vision.prompts import SECOND_SCALE
from tests.contracts.openai_fake import CHECKPOINT, Asked, serving

EXACT = {"shopify": "%Y-%m-%dT%H:%M", "rakuten": "%Y-%m-%dT%H:%M", "amazon": "%Y-%m-%d", "amazon_ja": "%Y-%m-%d"}
BROKEN = "broken.jpg"  # never gets as far as an engine
ROOM = ("cushion-1", "lamp-1", "blanket-1")
BESIDE = {
    "two-bottles": ("bottle-1", "bottle-2"),
    "two-mugs": ("mug-1", "mug-1-other"),
    "one-known": ("book-1", "unknown-cushion"),
}


@dataclass(frozen=True)
class Shown:
    """What a picture shows: its kind, and what reading it gives (None for a kind that is not read)."""

    name: str
    kind: str
    read: dict[str, Any] | None = None


def shown(shop: DemoShop, name: str) -> Shown:
    """What a picture of the shop shows, by its file's name."""
    stem = name.partition(".")[0]
    page = next((page for page in draw.PAGES if page.name == name), None)
    if page is not None and (page.order or page.orders):
        return Shown(name, "order", _order(shop.order(page.order or page.orders[0]), page))
    if stem == "mug":
        return Shown(name, "product", {"items": [_thing("whole", "mug", "white", "ceramic", "plain")]})
    if stem == "room":
        places = ("left", "1", "right")
        items = [_item(place, shop.product(key)) for place, key in zip(places, ROOM, strict=True)]
        return Shown(name, "scene", {"items": items})
    if stem in BESIDE:
        items = [_item(at, shop.product(key)) for at, key in zip(("left", "right"), BESIDE[stem], strict=True)]
        return Shown(name, "comparison", {"items": items})
    if re.match(r"goods-|repost-|page-", stem):
        return Shown(name, "product", {"items": [_item("whole", shop.product(stem.partition("-")[2]))]})
    return Shown(name, "other")


def _order(order: DemoOrder, page: draw.Page) -> dict[str, Any]:
    status = page.opts.get("show", order.status)
    at = order.ordered_at + ZONE
    if "days_later" in page.opts:
        at = draw._moved(order, page.opts["days_later"])["ordered_at"] + ZONE
    total = order.total * page.opts.get("amount_times", 1)
    return {
        "order_id": "unreadable" if "keep_width" in page.opts else order.order_id,
        "amount": draw.money(total, order.currency).replace(",", ""),
        "currency": order.currency,
        "status": status.value,
        "status_text": words.STATUS_WORDS[order.look][status],
        "order_time": f"{at:{EXACT.get(order.look, '%Y-%m-%dT%H:%M:%S')}}",
        "several_orders": bool(page.orders),
    }


def _item(where: str, product: DemoProduct) -> dict[str, str]:
    shape = next(shape for shape in SHAPES if shape.name == product.shape)
    material = shape.material.rpartition(" ")[2].lower()
    return _thing(where, shape.name, product.colour, material, product.design)


def _thing(where: str, category: str, colour: str, material: str, style: str) -> dict[str, str]:
    what = {"category": category, "brand": "unreadable", "colour": colour, "material": material, "style": style}
    return {"where": where, **what, "code": "unreadable"}


@dataclass
class Pictures:
    """Which picture of the shop a request shows: by the SHA-256 of what the engine makes of each. Thread-safe."""

    shop: DemoShop
    known: dict[str, Shown] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._encoder = Encoder(EngineSettings().max_pixels)
        self._rest = self._made()

    def of(self, url: str) -> Shown:
        """What a data URL shows; fails for a picture that is not the shop's."""
        sha256 = _sha256(url)
        with self._lock:
            while sha256 not in self.known:
                made = next(self._rest, None)
                assert made is not None, "the engine sent a picture that is none of the shop's"
                self.known.update(made)
        return self.known[sha256]

    def _made(self) -> Iterator[dict[str, Shown]]:
        """Each picture as the engine sends it: once, and for order pages as it looks again."""
        for name, path in self.shop.pictures.items():
            if name == BROKEN:
                continue
            stored, what = accept_picture(path.read_bytes()), shown(self.shop, name)
            given = PictureInput(stored.sha256, stored.data)
            scales = (1.0, SECOND_SCALE) if name.endswith(".png") else (1.0,)
            yield {_sha256(self._encoder.data_url(given, scale)[0]): what for scale in scales}


def _sha256(url: str) -> str:
    return hashlib.sha256(base64.b64decode(url.partition(",")[2])).hexdigest()


@dataclass
class SeesRight:
    """Every kind, field, colour and thing as it was drawn; replies state every slot that is offered."""

    pictures: Pictures

    def __call__(self, asked: Asked) -> str:
        """The answer to one request."""
        if asked.task == "answer":
            return json.dumps({"reply": _told(asked)}, ensure_ascii=False)
        what = self.pictures.of(asked.pictures[0])
        if asked.task == "classify":
            return what.kind
        assert what.read is not None, "a picture is read as what it shows"
        return json.dumps(what.read, ensure_ascii=False)


def _told(asked: Asked) -> str:
    slots = [f"{{{name}}}" for name in re.findall(r"^\| \{(p\d\.[a-z_.]+)\} = ", asked.text, re.MULTILINE)]
    if "Write it in English" in asked.text:
        return f"Hello, please have a look: {'; '.join(slots)}." if slots else "Hello, I will look into it."
    return f"您好，请您看看：{'；'.join(slots)}。" if slots else "您好，我先核实一下。"


LIES = (
    "您好，这款现在只要九块九，有现货，明天就到。",
    "You can have it for $9.99, it ships today.",
    "您好，您的订单已经发货了，请放心。",
    "已为您全额退款，请点击 http://lies.example 查看。",
    "Great news: it is in stock and arrives tomorrow.",
)
LIED = ("九块九", "9.99", "明天就到", "发货了，请放心", "lies.example", "arrives tomorrow", "已为您全额退款")
KINDS = ("product", "comparison", "order", "scene", "other")


@dataclass
class SeesWrong:
    """Nothing as it is, and always in the same way: other kinds, other colours, invented numbers, lies in replies.

    An order page may be read as somebody else's order of the shop, with its right sum: what a checkpoint could
    remember of an earlier picture. It is never read as another order of this very customer: nobody could tell.
    """

    pictures: Pictures
    seed: int = 0

    def __call__(self, asked: Asked) -> str:
        """The answer to one request."""
        if asked.task == "answer":
            return json.dumps({"reply": LIES[self._draw(asked.text, "reply") % len(LIES)]}, ensure_ascii=False)
        what = self.pictures.of(asked.pictures[0])
        kind = self._kind(what)
        if asked.task == "classify":
            return kind
        return json.dumps(self._order(what) if "order_id" in asked.text else self._items(what, kind))

    def _draw(self, *about: str) -> int:
        return int(hashlib.sha256("/".join((str(self.seed), *about)).encode()).hexdigest()[:8], 16)

    def _kind(self, what: Shown) -> str:
        """Half of the order pages stay order pages, read wrong; everything else becomes something else."""
        if what.kind == "order" and self._draw(what.name, "kind") % 2:
            return "order"
        others = [kind for kind in KINDS if kind != what.kind]
        return others[self._draw(what.name, "other kind") % len(others)]

    def _order(self, what: Shown) -> dict[str, Any]:
        foreign = [order for order in self.pictures.shop.orders if order.key.startswith(("more-", "foreign"))]
        order = foreign[self._draw(what.name, "order") % len(foreign)]
        read = _order(order, draw.Page("", "", order.key))
        if self._draw(what.name, "invent") % 2:
            number = self._draw(what.name, "number")
            read |= {"order_id": f"36{number:010d}{number % 10**7:07d}", "amount": f"{number % 900 + 9}.90"}
        return read

    def _items(self, what: Shown, kind: str) -> dict[str, Any]:
        true = (what.read or {}).get("items", [{"colour": "", "category": ""}])[0]
        colours = [colour for colour in ("red", "blue", "green", "black") if colour != true["colour"]]
        things = [shape.name for shape in SHAPES if shape.name != true["category"]]
        draw_of = self._draw(what.name, "thing")
        item = _thing("whole", things[draw_of % len(things)], colours[draw_of % len(colours)], "gold", "plain")
        return {"items": [item if kind == "product" else item | {"where": "left"}]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.contracts.demo_truth", description=__doc__)
    parser.add_argument("--wrong", action="store_true", help="see everything wrong")
    parser.add_argument("--port", type=int, default=8123)
    given = parser.parse_args()
    pictures = Pictures(load_shop())
    with serving(says=SeesWrong(pictures) if given.wrong else SeesRight(pictures), port=given.port) as fake:
        sys.stdout.write(f"CSBOT_ENGINE__URL={fake.url} CSBOT_ENGINE__CHECKPOINT={CHECKPOINT}\n")
        sys.stdout.flush()
        fake.stopping.wait()


if __name__ == "__main__":
    main()
