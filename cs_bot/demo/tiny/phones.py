"""Whole phone screens as the checkpoint sees them: pages of orders, lists of orders, chats and other pages."""

import random

from cs_bot.demo import words
from cs_bot.demo.tiny.frames import Colour, Drawing, fitted, near
from cs_bot.demo.tiny.labels import LABELS, STATES
from cs_bot.demo.tiny.paper import GREY, INK, WHITE, Paper
from cs_bot.demo.tiny.showing import ACCENTS
from cs_bot.demo.tiny.tickets import Ticket, ticket

CSS = 390  # lengths are those of a phone's page
HEIGHTS = (844, 844, 844, 844, 844, 760, 900, 976, 976, 1080, 1300, 2200, 2485)


class Phone(Paper):
    """A phone's screen in the size that the image processor leaves of it."""

    def __init__(self, rng: random.Random, ground: Colour, height: int = 0, language: str = "zh") -> None:
        self.rng, self.language, self.labels = rng, language, LABELS[language]
        width, high = fitted(2 * CSS, 2 * (height or rng.choice(HEIGHTS)))
        super().__init__(width, high, ground, width / CSS)
        self.accent = near(rng, rng.choice(ACCENTS), 10)

    def status_bar(self, colour: Colour = INK, ground: Colour | None = None) -> None:
        """The clock and the battery."""
        if ground is not None:
            self.box(0, 0, CSS, 44, ground)
        self.text(20, f"{self.rng.randint(8, 22)}:{self.rng.randint(10, 59)}", 14, colour, down=15, thick=True)
        self.box(346, 18, 368, 28, colour, radius=3)
        self.text(322, "5G", 11, colour, down=16)
        self.y += 44

    def title_bar(self, title: str, colour: Colour = INK, ground: Colour | None = None) -> None:
        """Back, title, more."""
        if ground is not None:
            self.box(0, 0, CSS, 44, ground)
        self.text(14, "‹", 24, colour, down=6, thick=True)
        self.text(CSS / 2 - 8.5 * len(title) * (0.6 if title.isascii() else 1), title, 17, colour, down=12, thick=True)
        self.text(352, "…", 20, colour, down=8)
        self.y += 44

    def kv(self, label: str, value: str, *, right: bool, colour: Colour = INK, points: float = 13) -> None:
        """A label and its value on one line."""
        self.text(26, label, 13, GREY)
        if right:
            self.text(CSS - 26, value, points, colour, right=True, thick=points > 14)
        else:
            self.text(26 + (84 if self.language == "zh" else 104), value, points, colour)
        self.y += 29 if points < 15 else 36

    def buttons(self, count: int) -> None:
        """At the right, the last one coloured."""
        for place in range(count):
            left = CSS - 14 - 92 * (place + 1)
            edge = self.accent if place == 0 else (204, 204, 204)
            self.box(left, 4, left + 84, 36, WHITE, radius=15, edge=edge)
            self.text(left + 16, self.rng.choice(self.labels.buttons)[:9], 13, edge if place == 0 else INK, down=13)
        self.y += 44


def order_page(rng: random.Random, order: Ticket | None = None) -> tuple[Drawing, Ticket]:
    """The page of one order."""
    order = order or ticket(rng)
    ground = rng.choice(((245, 245, 245), (242, 242, 247), WHITE, (247, 247, 247)))
    phone = Phone(rng, ground, language=order.language)
    _head(phone, order)
    parts = [_address, _goods, _sums, _keys]
    if rng.random() < 0.4:
        parts = [_keys, _goods, _sums] if rng.random() < 0.5 else [_goods, _keys, _sums]
    for part in parts:
        if phone.left < 40:
            break
        part(phone, order)
    if phone.left > 60 and rng.random() < 0.7:
        phone.buttons(rng.randint(1, 3))
    if phone.left > 220 and rng.random() < 0.6:
        _more(phone)
    return (without_its_side(phone.drawing, rng) if rng.random() < 0.1 else phone.drawing), order


def without_its_side(drawing: Drawing, rng: random.Random) -> Drawing:
    """A screen whose right part is missing, as large as the image processor would make what is left."""
    width, height = drawing.image.size
    kept = rng.uniform(0.65, 0.92)
    cut = drawing.cropped((0, 0, round(width * kept), height))
    scale = 2 * CSS / width
    return cut.resized(*fitted(round(2 * CSS * kept), round(height * scale)))


def _head(phone: Phone, order: Ticket) -> None:
    """The bars and the state, in one of the ways of the platforms."""
    rng, title = phone.rng, phone.rng.choice(phone.labels.title)
    way = rng.randrange(5)
    if way == 0:  # coloured bars, the state in white on them
        phone.box(0, 0, CSS, 170, phone.accent)
        phone.status_bar(WHITE)
        phone.title_bar(title, WHITE)
        _state(phone, order, WHITE)
        phone.y -= 6
    elif way == 1:  # white bars, the state on a coloured field
        phone.status_bar(ground=WHITE)
        phone.title_bar(title, ground=WHITE)
        phone.box(0, 0, CSS, 78, phone.accent)
        _state(phone, order, WHITE)
        phone.y += 6
    elif way == 2:  # a search field as shops of the web have
        phone.box(0, 0, CSS, 100, rng.choice(((132, 216, 227), phone.accent, (35, 47, 62))))
        phone.status_bar()
        phone.box(14, 4, CSS - 14, 44, WHITE, radius=8)
        phone.text(
            30, {"zh": "订单", "en": "Search or ask a question", "ja": "注文"}[order.language], 14, GREY, down=17
        )
        phone.y += 66
        phone.text(14, title, 22, down=0, thick=True)
        phone.y += 40
        _state(phone, order, (0, 118, 0))
    elif way == 3:  # the shop's name, then the number as a heading
        phone.status_bar()
        phone.text(20, words.SHOP_NAMES[order.language], 22, down=16, face="serif")
        phone.box(CSS - 44, 20, CSS - 22, 22, INK)
        phone.box(CSS - 44, 28, CSS - 22, 30, INK)
        phone.y += 74
        phone.text(20, f"{phone.labels.number[0]} {order.number}"[:24], 20, thick=True)
        phone.y += 40
        _state(phone, order, INK)
    else:  # light bars that fade
        phone.box(0, 0, CSS, 150, rng.choice(((253, 236, 240), WHITE, (250, 246, 240))))
        phone.status_bar()
        phone.title_bar(title if rng.random() < 0.7 else "")
        _state(phone, order, rng.choice((INK, phone.accent)))


def _state(phone: Phone, order: Ticket, colour: Colour) -> None:
    phone.text(20, order.state, 20, colour, down=8, thick=True)
    phone.text(20, order.hint, 13, colour if colour == WHITE else GREY, down=40)
    phone.y += 66


def _card(phone: Phone, high: float) -> None:
    phone.box(10, 0, CSS - 10, high, WHITE, radius=10)
    phone.y += 12


def _address(phone: Phone, order: Ticket) -> None:
    _card(phone, 66)
    phone.text(
        26, f"{phone.rng.choice(words.PEOPLE[order.language])}　138****{phone.rng.randint(1000, 9999)}", 14, thick=True
    )
    phone.text(26, phone.rng.choice(words.PLACES[order.language]), 13, GREY, down=26)
    phone.y += 64


def _goods(phone: Phone, order: Ticket) -> None:
    count = phone.rng.choice((1, 1, 2, 3))
    _card(phone, 34 + 96 * count)
    phone.text(26, words.SHOP_NAMES[order.language] + " ›", 14, thick=True)
    phone.y += 26
    for _ in range(count):
        _line(phone, order)
    phone.y += 8


def _line(phone: Phone, order: Ticket) -> None:
    """One article: picture, name, price."""
    name, spec, price, _ = phone.rng.choice(words.GOODS[order.language])
    phone.thumb(26, 0, 82, phone.rng)
    phone.text(120, name[:13] if order.language != "en" else name[:26], 14)
    phone.text(
        CSS - 26,
        f"{'$' if order.language == 'en' else '¥'}{price}",
        14,
        right=True,
        down=0 if phone.rng.random() < 0.6 else 56,
    )
    phone.text(120, spec, 12, GREY, down=30)
    phone.y += 96


def _sums(phone: Phone, order: Ticket) -> None:
    rows = phone.rng.sample(phone.labels.sums, 3)
    _card(phone, 29 * len(rows) + 50)
    for label in rows:
        phone.kv(
            label, f"{phone.rng.choice(('', '-'))}{phone.rng.randint(0, 99)}.{phone.rng.randint(0, 99):02d}", right=True
        )
    colour = phone.rng.choice((phone.accent, INK))
    phone.kv(phone.rng.choice(phone.labels.total), order.printed_amount, right=True, colour=colour, points=19)
    phone.y += 10


def _keys(phone: Phone, order: Ticket) -> None:
    """Number, time and other lines."""
    rng, labels, right = phone.rng, phone.labels, phone.rng.random() < 0.3
    rows = [(rng.choice(labels.number), order.number), (rng.choice(labels.time), order.printed_time)]
    rows += [(label, order.printed_time) for label in rng.sample(labels.times, rng.randint(0, len(labels.times)))]
    rows += rng.sample(labels.others, rng.randint(0, 2))
    _card(phone, 29 * len(rows) + 18)
    for label, value in rows:
        phone.kv(label, value, right=right)
    phone.y += 10


def _more(phone: Phone) -> None:
    """What else there is to buy, two beside each other."""
    phone.y += 30
    while phone.left > 120:
        for column in range(2):
            left = 10 + 190 * column
            phone.box(left, 0, left + 181, 250, WHITE, radius=10)
            phone.thumb(left, 0, 181, phone.rng)
            phone.text(left + 10, phone.rng.choice(words.GOODS["zh"])[0][:11], 14, down=188)
            phone.text(left + 10, f"¥{phone.rng.randint(9, 299)}", 17, phone.accent, down=216, thick=True)
        phone.y += 260


def order_list(rng: random.Random) -> Drawing:
    """A page with several orders."""
    language = rng.choice(("zh", "zh", "en", "ja"))
    phone = Phone(rng, (244, 244, 244), language=language)
    phone.status_bar(ground=WHITE)
    phone.title_bar(phone.labels.title[1 % len(phone.labels.title)], ground=WHITE)
    if rng.random() < 0.8:
        phone.box(0, 0, CSS, 36, WHITE)
        for place, status in enumerate(list(STATES[language])[:5]):
            phone.text(
                20 + 74 * place, STATES[language][status][-1][:8], 14, phone.accent if place == 0 else INK, down=6
            )
        phone.y += 40
    cards = rng.choice((2, 3, 3, 4))
    for _ in range(cards):
        if phone.left < 120:
            break
        _list_card(phone)
    return phone.drawing


def _list_card(phone: Phone) -> None:
    """One order of a list."""
    rng = phone.rng
    order = ticket(rng, rng.choice([look for look, (language, _) in words.LOOKS.items() if language == phone.language]))
    lines, buttons = rng.choice((1, 1, 2)), rng.random() < 0.8
    high = 72 + 96 * lines + (48 if buttons else 0)
    _card(phone, high)
    start = phone.y
    phone.text(26, words.SHOP_NAMES[phone.language] + " ›", 14, thick=True)
    phone.text(CSS - 26, order.state, 13, phone.accent, right=True)
    phone.y += 28
    for _ in range(lines):
        _line(phone, order)
    phone.text(CSS - 26, f"{phone.labels.total[0]} {order.printed_amount}", 15, right=True, thick=True)
    phone.y += 26
    if buttons:
        phone.buttons(2)
    phone.y = start + high
