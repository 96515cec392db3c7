"""Pictures that no kind fits: chats, tracking, carts, coupons, bills, charts, landscapes, documents."""

import random

from PIL import Image, ImageDraw

from cs_bot.demo import words
from cs_bot.demo.tiny.frames import Drawing, near
from cs_bot.demo.tiny.labels import CHATS, LABELS, PLAIN, TITLES, TRACKS
from cs_bot.demo.tiny.letters import length, write
from cs_bot.demo.tiny.paper import GREY, INK, WHITE
from cs_bot.demo.tiny.phones import CSS, Phone

SIZES = ((224, 224), (256, 256), (320, 256), (256, 320), (320, 320), (288, 352), (352, 256))


def other(rng: random.Random) -> Drawing:
    """One of them."""
    return rng.choice((chat, chat, chat, tracking, tracking, cart, coupons, bill, chart, landscape, document, blocks))(
        rng
    )


def _phone(rng: random.Random, what: str, ground: tuple[int, int, int]) -> Phone:
    language = rng.choice(("zh", "zh", "en", "ja"))
    phone = Phone(rng, ground, language=language)
    bar = ground if rng.random() < 0.6 else WHITE
    phone.status_bar(ground=bar)
    phone.title_bar(TITLES[language][what], ground=bar)
    return phone


def chat(rng: random.Random) -> Drawing:
    """Bubbles on both sides."""
    phone = _phone(rng, "chat", rng.choice(((237, 237, 237), (237, 237, 237), (245, 245, 247), WHITE, (24, 24, 26))))
    mine = rng.choice(((149, 236, 105), (149, 236, 105), (64, 150, 255), (255, 214, 102), (220, 240, 255)))
    me, them = rng.choice(((216, 164, 143), (170, 150, 200))), rng.choice(((159, 184, 207), (120, 160, 140)))
    foot = rng.random() < 0.8
    phone.y += 8
    while phone.left > (130 if foot else 70):
        if rng.random() < 0.2:
            phone.text(150, f"{PLAIN[phone.language][4]} {rng.randint(8, 22)}:{rng.randint(10, 59)}", 12, GREY, down=6)
            phone.y += 32
        _bubble(phone, rng.random() < 0.5, mine, me, them)
    if foot:
        phone.y = phone.drawing.image.height / phone.unit - 62
        phone.box(0, 0, CSS, 64, (247, 247, 247))
        phone.box(48, 12, CSS - 48, 50, WHITE, radius=5)
        for x in (12, CSS - 38):
            phone.box(x, 18, x + 26, 44, None, radius=13, edge=INK)
    return phone.drawing


def _bubble(
    phone: Phone, own: bool, mine: tuple[int, int, int], me: tuple[int, int, int], them: tuple[int, int, int]
) -> None:
    lines = phone.rng.sample(CHATS[phone.language], phone.rng.choice((1, 1, 2)))
    wide = min(250.0, max(length(line, 14) for line in lines) + 24)
    high = 20 + 21 * len(lines)
    avatar = CSS - 52 if own else 12
    phone.box(avatar, 0, avatar + 40, 40, me if own else them, radius=5)
    left = CSS - 62 - wide if own else 62
    phone.box(left, 0, left + wide, high, mine if own else WHITE, radius=5)
    for number, line in enumerate(lines):
        phone.text(left + 12, line[:17] if not line.isascii() else line[:28], 14, down=11 + 21 * number)
    phone.y += high + phone.rng.randint(12, 22)


def tracking(rng: random.Random) -> Drawing:
    """Where a parcel was, with dots along a line."""
    phone = _phone(rng, "track", rng.choice(((245, 245, 245), WHITE)))
    if rng.random() < 0.5:  # a map above it
        phone.box(0, 0, CSS, 200, near(rng, (214, 230, 214), 10))
        corners = [(rng.uniform(0, CSS) * phone.unit, (phone.y + rng.uniform(0, 200)) * phone.unit) for _ in range(5)]
        phone.pen.line(corners, fill=phone.accent, width=3)
        phone.y += 200
    phone.box(10, 8, CSS - 10, 70, WHITE, radius=10)
    phone.text(24, rng.choice(words.CARRIERS[phone.language])[0], 15, down=18, thick=True)
    phone.text(24, "".join(rng.choice("0123456789") for _ in range(13)), 13, GREY, down=42)
    phone.y += 88
    first = phone.y
    while phone.left > 80:
        fresh = phone.y == first
        colour = phone.accent if fresh else GREY
        phone.box(30, 4, 40, 14, colour, radius=5)
        phone.box(34, 16, 36, 62, (220, 220, 220))
        phone.text(56, rng.choice(TRACKS[phone.language]), 14, INK if fresh else GREY, thick=fresh)
        phone.text(
            56,
            f"{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d} {rng.randint(8, 22)}:{rng.randint(10, 59)}",
            12,
            GREY,
            down=22,
        )
        phone.y += rng.choice((62, 62, 70))
    return phone.drawing


def cart(rng: random.Random) -> Drawing:
    """Lines with circles to tick and the sum at the foot."""
    phone = _phone(rng, "cart", (244, 244, 244))
    while phone.left > 200:
        phone.box(10, 0, CSS - 10, 112, WHITE, radius=10)
        ticked = rng.random() < 0.6
        phone.box(22, 46, 42, 66, phone.accent if ticked else WHITE, radius=10, edge=None if ticked else GREY)
        phone.thumb(56, 12, 88, rng)
        name, spec, price, _ = rng.choice(words.GOODS[phone.language])
        phone.text(156, name[:12], 14, down=14)
        phone.text(156, spec, 12, GREY, down=40)
        phone.text(156, f"¥{price}", 16, phone.accent, down=78, thick=True)
        phone.text(CSS - 100, "-   1   +", 16, down=78)
        phone.y += 122
    phone.y = phone.drawing.image.height / phone.unit - 60
    phone.box(0, 0, CSS, 60, WHITE)
    phone.text(24, PLAIN[phone.language][3], 14, down=22)
    phone.box(CSS - 130, 10, CSS - 14, 50, phone.accent, radius=20)
    phone.text(CSS - 112, PLAIN[phone.language][0][:10], 15, WHITE, down=22)
    return phone.drawing


def coupons(rng: random.Random) -> Drawing:
    """Coloured tickets with a big figure."""
    phone = _phone(rng, "coupon", near(rng, (250, 240, 236), 8))
    while phone.left > 110:
        phone.box(14, 0, CSS - 14, 92, near(rng, (255, 236, 230), 8), radius=8)
        phone.box(14, 0, 120, 92, phone.accent, radius=8)
        phone.text(34, f"¥{rng.choice((5, 10, 20, 50, 100))}", 28, WHITE, down=28, thick=True)
        phone.text(136, PLAIN[phone.language][2] + f" {rng.choice((99, 199, 299))}", 15, down=22, thick=True)
        phone.box(CSS - 100, 30, CSS - 28, 60, phone.accent, radius=15)
        phone.text(CSS - 88, PLAIN[phone.language][1][:6], 12, WHITE, down=39)
        phone.y += 104
    return phone.drawing


def bill(rng: random.Random) -> Drawing:
    """Rows of sums, nothing else."""
    phone = _phone(rng, "bill", WHITE)
    phone.text(26, f"¥{rng.randint(100, 9999)}.{rng.randint(10, 99)}", 30, down=16, thick=True)
    phone.y += 76
    while phone.left > 60:
        phone.box(26, 4, 62, 40, near(rng, (200, 210, 230), 40), radius=18)
        phone.text(76, rng.choice(LABELS[phone.language].others)[1], 15, down=4)
        phone.text(
            76,
            f"{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d} {rng.randint(8, 22)}:{rng.randint(10, 59)}",
            12,
            GREY,
            down=24,
        )
        phone.text(CSS - 26, f"{rng.choice('-+')}{rng.randint(1, 900)}.{rng.randint(10, 99)}", 16, down=10, right=True)
        phone.y += 60
    return phone.drawing


def _sheet(rng: random.Random, ground: tuple[int, int, int]) -> tuple[Drawing, ImageDraw.ImageDraw, int, int]:
    width, height = rng.choice(SIZES)
    drawing = Drawing(Image.new("RGB", (width, height), ground))
    return drawing, ImageDraw.Draw(drawing.image), width, height


def _any(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def chart(rng: random.Random) -> Drawing:
    """Bars or a line over an axis."""
    drawing, pen, width, height = _sheet(rng, rng.choice((WHITE, (250, 248, 240), (24, 28, 40))))
    count = rng.randint(4, 9)
    step = (width - 40) / count
    points = [(20 + step * (at + 0.5), height - 24 - rng.random() * (height - 60)) for at in range(count)]
    if rng.random() < 0.5:
        colours = [_any(rng) for _ in range(rng.choice((1, count)))]
        for at, (x, y) in enumerate(points):
            pen.rectangle((x - step * 0.35, y, x + step * 0.35, height - 24), fill=colours[at % len(colours)])
    else:
        pen.line(points, fill=_any(rng), width=3)
    pen.line((20, 12, 20, height - 24, width - 8, height - 24), fill=GREY, width=2)
    for at in range(count):
        write(drawing, (20 + step * (at + 0.3), height - 18), str(at + 1), 11, GREY)
    return drawing


def landscape(rng: random.Random) -> Drawing:
    """Sky, hills, grass or water."""
    drawing, pen, width, height = _sheet(rng, near(rng, (150, 196, 240), 30))
    horizon = round(height * rng.uniform(0.45, 0.75))
    x, r = rng.randint(20, width - 20), rng.randint(10, 22)
    pen.ellipse((x - r, 14, x + r, 14 + 2 * r), fill=(252, 226, 120))
    for _ in range(rng.randint(1, 4)):
        x, s = rng.randint(0, width), rng.randint(40, 130)
        pen.polygon(((x - s, horizon), (x, horizon - s), (x + s, horizon)), fill=near(rng, (100, 140, 130), 40))
    ground = rng.choice(((90, 150, 80), (70, 120, 170), (200, 180, 130)))
    pen.rectangle((0, horizon, width, height), fill=near(rng, ground, 20))
    for _ in range(rng.randrange(8)):
        x, s = rng.randint(0, width), rng.randint(10, 40)
        pen.rectangle((x - 2, horizon, x + 2, horizon + s), fill=(90, 64, 40))
        pen.ellipse((x - s / 2, horizon - s, x + s / 2, horizon + 4), fill=near(rng, (60, 120, 60), 25))
    return drawing


def document(rng: random.Random) -> Drawing:
    """Lines of text on paper."""
    drawing, _, width, height = _sheet(rng, near(rng, (250, 249, 245), 5))
    size, y = rng.randint(8, 13), 10.0
    texts = [*words.PLACES[rng.choice(("zh", "en", "ja"))], *(line for lines in CHATS.values() for line in lines)]
    if rng.random() < 0.5:
        write(drawing, (width * 0.3, y), rng.choice(("ABC", "NOTICE", "2026")), size + 8, INK, thick=True)
        y += size + 20
    while y < height - size - 6:
        line = " ".join(rng.sample(texts, 4))
        room = round((width - 24) / (size * (0.55 if line.isascii() else 0.9)))
        write(drawing, (12, y), line[: room if rng.random() < 0.85 else room // 2], size, (50, 50, 50))
        y += size * rng.choice((1.5, 1.5, 2.4))
    return drawing


def blocks(rng: random.Random) -> Drawing:
    """A code of squares, or shapes at random."""
    drawing, pen, width, height = _sheet(rng, WHITE if rng.random() < 0.6 else _any(rng))
    if rng.random() < 0.5:
        count = rng.choice((17, 21, 25))
        step = min(width, height) * rng.uniform(0.6, 0.9) / count
        left, top = (width - step * count) / 2, (height - step * count) / 2
        for place in range(count * count):
            if rng.random() < 0.5:
                x, y = left + place % count * step, top + place // count * step
                pen.rectangle((x, y, x + step, y + step), fill=(10, 10, 10))
        return drawing
    for _ in range(rng.randint(5, 25)):
        x, y = rng.randint(-20, width), rng.randint(-20, height)
        draw = rng.choice((pen.rectangle, pen.ellipse))
        draw((x, y, x + rng.randint(10, 90), y + rng.randint(10, 90)), fill=_any(rng))
    return drawing
