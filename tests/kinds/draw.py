"""Pictures of every kind that is no order page, drawn from a seed: goods, comparisons, rooms, outfits, app pages."""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from cs_bot.records import Kind
from tests.kinds.objects import DEV, HELD, SHADES, Colour, Draw, draw_object, shade


@dataclass(frozen=True)
class Drawn:
    """A picture with its truth: kind, layout, and the colour of each thing by where it is (when it has one)."""

    kind: Kind
    name: str
    picture: Image.Image
    colours: dict[str, str] = field(default_factory=dict)

    def jpeg(self, quality: int) -> bytes:
        """As a chat would send it."""
        out = io.BytesIO()
        self.picture.convert("RGB").save(out, "JPEG", quality=quality)
        return out.getvalue()


class Painter:
    """Draws with the objects and the randomness of one part (dev or held out)."""

    def __init__(self, rng: random.Random, *, held: bool) -> None:
        self.rng = rng
        self.objects: tuple[Draw, ...] = HELD if held else DEV

    # ---- backdrops
    def backdrop(self, width: int, height: int, style: str | None = None) -> Image.Image:
        """Plain, a ramp of light, grain, wood or cloth."""
        style = style or self.rng.choice(["plain", "plain", "ramp", "grain", "wood", "cloth"])
        base = self.rng.choice([(250, 250, 250), (236, 236, 238), (224, 216, 204), (206, 222, 232), (60, 62, 68)])
        pixels = np.tile(np.array(base, dtype=np.float32), (height, width, 1))
        noise = np.random.default_rng(self.rng.randrange(2**32))
        if style == "ramp":
            pixels *= np.linspace(1.0, self.rng.uniform(0.78, 0.92), height)[:, None, None]
        if style == "grain":
            pixels += noise.normal(0, 3, (height, width, 1))
        if style == "wood":
            rows = np.repeat(noise.uniform(0.75, 1.1, height // 6 + 1), 6)[:height]
            pixels = np.tile(np.array((176, 128, 82), dtype=np.float32), (height, width, 1)) * rows[:, None, None]
        if style == "cloth":
            pixels *= (
                noise.uniform(0.8, 1.15, (height // 20 + 1, width // 20 + 1, 1))
                .repeat(20, 0)
                .repeat(20, 1)[:height, :width]
            )
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def colour(self, *, not_like: Colour | None = None, other_than: str = "") -> tuple[str, Colour]:
        """A name and a shade that can be told from the backdrop."""
        while True:
            name = self.rng.choice(list(SHADES))
            value = self.rng.choice(SHADES[name])
            far = not_like is None or sum(abs(a - b) for a, b in zip(value, not_like, strict=True)) > 110
            if name != other_than and far:
                return name, value

    def put(self, picture: Image.Image, box: tuple[int, int, int, int], draw: Draw, colour: Colour) -> None:
        """A thing with its soft shadow inside a box."""
        left, top, right, bottom = box
        side = round(min(right - left, bottom - top) * self.rng.uniform(0.72, 0.95))
        thing = draw_object(draw, side, colour, self.rng)
        x, y = left + (right - left - side) // 2, top + (bottom - top - side) // 2
        shadow = Image.new("RGBA", thing.size, (0, 0, 0, 0))
        shadow.putalpha(thing.getchannel("A").point(lambda a: round(a * 0.22)))
        blurred = shadow.filter(ImageFilter.GaussianBlur(side * 0.02))
        picture.paste(blurred, (x + side // 50, y + side // 40), blurred)
        picture.paste(thing, (x, y), thing)

    # ---- kinds
    def product(self) -> Drawn:
        """One thing on a backdrop; sometimes with its brand or a price tag."""
        width, height = self.rng.choice([(720, 720), (600, 800), (800, 600)])
        style = self.rng.choice(["plain", "plain", "ramp", "grain", "wood", "cloth"])
        picture = self.backdrop(width, height, style)
        name, value = self.colour(not_like=picture.getpixel((4, 4)))  # type: ignore[arg-type]
        self.put(picture, (0, 0, width, height), self.rng.choice(self.objects), value)
        if self.rng.random() < 0.3:
            said = self.rng.choice(["NEW", "LUMO", "NORTH & CO", "SALE", "Hand made"])
            text(picture, (20, height - 50), said, 30, shade(value, 0.6))
        return Drawn(Kind.PRODUCT, f"product-{style}", picture, {"whole": name})

    def joined(self, how: str) -> Drawn:
        """Photos joined: beside, stacked, grid, versus (a band with VS), tags (A and B), white (a white line)."""
        w, h = self.rng.choice([(360, 480), (400, 400), (420, 360)])
        count, across = (4, 2) if how == "grid" else (2, 1 if how == "stacked" else 2)
        gap = {"white": 12, "versus": 0, "grid": self.rng.choice([0, 8])}.get(how, 0)
        rows = count // across
        sheet = Image.new("RGB", (across * w + (across - 1) * gap, rows * h + (rows - 1) * gap), "white")
        names: list[str] = []
        draw = self.rng.choice(self.objects)
        for n in range(count):
            cell = self.backdrop(w, h)
            name, value = self.colour(not_like=cell.getpixel((4, 4)), other_than=names[-1] if names else "")  # type: ignore[arg-type]
            self.put(cell, (0, 0, w, h), draw if how == "tags" else self.rng.choice(self.objects), value)
            sheet.paste(cell, ((n % across) * (w + gap), (n // across) * (h + gap)))
            names.append(name)
        if how == "versus":
            disc(sheet, (sheet.width // 2, sheet.height // 2), 44)
            text(sheet, (sheet.width // 2 - 26, sheet.height // 2 - 22), "VS", 38, (255, 255, 255))
        if how == "tags":
            for n, tag in enumerate("AB"):
                text(sheet, (n * w + 16, 12), tag, 44, (20, 20, 20))
        where = ["top", "bottom"] if how == "stacked" else ["left", "right"] if count == 2 else ["1", "2", "3", "4"]
        return Drawn(Kind.COMPARISON, f"joined-{how}", sheet, dict(zip(where, names, strict=True)))

    def together(self, how: str) -> Drawn:
        """Two things in one photo: of two colours, or different things."""
        width, height = 900, 600
        picture = self.backdrop(width, height, self.rng.choice(["plain", "ramp", "grain", "wood"]))
        draw = self.rng.choice(self.objects)
        first, value = self.colour(not_like=picture.getpixel((4, 4)))  # type: ignore[arg-type]
        self.put(picture, (0, 0, 450, 600), draw, value)
        second, value = self.colour(not_like=picture.getpixel((4, 4)), other_than=first)  # type: ignore[arg-type]
        self.put(picture, (450, 0, 900, 600), draw if how == "colours" else self.rng.choice(self.objects), value)
        return Drawn(Kind.COMPARISON, f"together-{how}", picture, {"left": first, "right": second})

    def room(self) -> Drawn:
        """Wall, floor, window, furniture."""
        r = self.rng
        width, height = 840, 630
        wall, floor = self.colour()[1], self.colour()[1]
        picture = Image.new("RGB", (width, height), shade(wall, 1.1))
        d = ImageDraw.Draw(picture)
        edge = round(height * r.uniform(0.55, 0.72))
        d.rectangle([0, edge, width, height], fill=floor)
        x = r.randrange(40, 500)
        d.rectangle([x, 60, x + 180, 260], fill=(200, 226, 245), outline=(245, 245, 245), width=10)
        d.line([x + 90, 60, x + 90, 260], fill=(245, 245, 245), width=8)
        sofa = self.colour()[1]
        left = r.randrange(20, 330)
        d.rounded_rectangle([left, edge - 140, left + 400, edge + 70], radius=30, fill=sofa)
        d.rounded_rectangle([left - 15, edge - 70, left + 415, edge + 80], radius=26, fill=shade(sofa, 0.85))
        self.put(picture, (600, edge - 230, 820, edge + 40), r.choice(self.objects), self.colour()[1])
        d.ellipse([r.randrange(0, 200), edge + 90, 620, edge + 190], fill=self.colour()[1])
        return Drawn(Kind.SCENE, "room", grained(picture, r))

    def outfit(self) -> Drawn:
        """A person standing before a street or a wall."""
        r = self.rng
        width, height = 540, 780
        picture = self.backdrop(width, height, r.choice(["ramp", "cloth", "wood", "grain"]))
        d = ImageDraw.Draw(picture)
        for x in range(0, width, r.choice([90, 120, 160])):
            d.rectangle([x, r.randrange(0, 200), x + r.randrange(30, 80), 620], fill=self.colour()[1])
        d.rectangle([0, 620, width, height], fill=(120, 120, 122))
        skin, top, legs = r.choice([(236, 200, 170), (190, 140, 105)]), self.colour()[1], self.colour()[1]
        d.ellipse([228, 60, 312, 165], fill=skin)
        d.rounded_rectangle([180, 165, 360, 400], radius=30, fill=top)
        d.rectangle([150, 185, 190, 400], fill=shade(top, 0.9))
        d.rectangle([350, 185, 390, 400], fill=shade(top, 0.9))
        d.rectangle([195, 395, 262, 680], fill=legs)
        d.rectangle([278, 395, 345, 680], fill=shade(legs, 0.92))
        return Drawn(Kind.SCENE, "outfit", grained(picture, r))

    def device(self) -> Drawn:
        """A device on a desk with a light that glows."""
        r = self.rng
        picture = self.backdrop(800, 600, r.choice(["wood", "cloth", "ramp"]))
        d = ImageDraw.Draw(picture)
        body = r.choice([(30, 32, 36), (235, 235, 238), (90, 94, 100)])
        d.rounded_rectangle([180, 220, 640, 420], radius=24, fill=body)
        for n in range(4):
            lit = n == r.randrange(4)
            d.ellipse([240 + n * 70, 350, 262 + n * 70, 372], fill=(255, 40, 30) if lit else shade(body, 0.7))
        for x in (250, 540):
            d.line([x, 220, x - 40, 90], fill=shade(body, 0.8), width=14)
        return Drawn(Kind.SCENE, "device", grained(picture, r))

    def page(self, what: str) -> Drawn:
        """A page of an app in English: chat, cart, settings, tracking, coupon."""
        picture = Image.new("RGB", (600, 1000), (245, 245, 247))
        y = 30
        for words in PAGES[what](self.rng):
            side = self.rng.choice([30, 60]) if what == "chat" else 30
            text(picture, (side, y), words, 26, (30, 30, 34))
            y += self.rng.choice([58, 66, 74])
        return Drawn(Kind.OTHER, what, picture)


def _chat(r: random.Random) -> list[str]:
    said = ["Hello, is anyone there?", "Hi! How can we help?", "I have a question about delivery", "Sure, let me check"]
    said += ["Thanks!", "Could you send me the address?", "Okay, great", "Please let me know", "Type a message"]
    return [*r.sample(said[:-1], 6), said[-1]]


def _cart(r: random.Random) -> list[str]:
    items = [f"Item {n}   ${r.randrange(5, 99)}.00   x{r.randrange(1, 4)}" for n in range(1, r.randrange(3, 6))]
    return ["Shopping cart", *items, f"Subtotal ${r.randrange(40, 300)}.00", "Proceed to checkout"]


def _settings(r: random.Random) -> list[str]:
    rows = ["Notifications", "Privacy", "Language", "Wi-Fi", "Account", "About", "Storage", "Dark mode"]
    return ["Settings", *r.sample(rows, 6), "Log out"]


def _tracking(r: random.Random) -> list[str]:
    places = ["Leeds", "Hub North", "Harbour", "Depot 4", "Sorting facility"]
    rows = [f"1{n}:2{n} {r.choice(['Arrived at', 'Departed'])} {r.choice(places)}" for n in range(5)]
    return ["Tracking history", *rows, "Out for delivery"]


def _coupon(r: random.Random) -> list[str]:
    return ["My coupons", *[f"Coupon {r.randrange(5, 30)}% off" for _ in range(4)], "Valid until next month", "Privacy"]


PAGES: dict[str, Callable[[random.Random], list[str]]] = {
    "chat": _chat,
    "cart": _cart,
    "settings": _settings,
    "tracking": _tracking,
    "coupon": _coupon,
}


def text(picture: Image.Image, at: tuple[int, int], words: str, size: int, colour: Colour) -> None:
    """Words in the font that PIL brings along."""
    ImageDraw.Draw(picture).text(at, words, fill=colour, font=ImageFont.load_default(size))


def disc(picture: Image.Image, centre: tuple[int, int], radius: int) -> None:
    """A red disc, as "VS" stands on."""
    x, y = centre
    ImageDraw.Draw(picture).ellipse([x - radius, y - radius, x + radius, y + radius], fill=(200, 30, 40))


def grained(picture: Image.Image, rng: random.Random) -> Image.Image:
    """As a phone sees it: a little soft, with noise and light from one side."""
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), dtype=np.float32)
    light = np.linspace(1.0, rng.uniform(0.8, 1.1), pixels.shape[1])[None, :, None]
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, 4, pixels.shape)
    return Image.fromarray(np.clip(pixels * light + noise, 0, 255).astype(np.uint8))


def drawn(count: int, seed: int, *, held: bool) -> list[Drawn]:
    """`count` pictures of all kinds in turn, the same for the same seed."""
    rng = random.Random(seed)
    painter = Painter(rng, held=held)
    makers: list[Callable[[], Drawn]] = [
        painter.product,
        painter.room,
        lambda: painter.joined(rng.choice(["beside", "stacked", "grid", "versus", "tags", "white"])),
        painter.product,
        painter.outfit,
        lambda: painter.together(rng.choice(["colours", "things"])),
        lambda: painter.page(rng.choice(list(PAGES))),
        painter.product,
        painter.device,
        lambda: painter.joined(rng.choice(["beside", "stacked", "grid", "versus", "tags", "white"])),
    ]
    return [makers[n % len(makers)]() for n in range(count)]
