"""Order pages that can be read at this size: a few rows with large digits, and what makes single fields unreadable."""

import random
from collections.abc import Callable

from PIL import ImageFilter

from cs_bot.demo.tiny.frames import Box, Colour, Drawing, near
from cs_bot.demo.tiny.labels import LABELS, Labels
from cs_bot.demo.tiny.letters import DIGIT_FACES, length
from cs_bot.demo.tiny.paper import GREY, INK, WHITE, Paper
from cs_bot.demo.tiny.showing import ACCENTS
from cs_bot.demo.tiny.tickets import FIELDS, Ticket
from cs_bot.demo.words import CARRIERS

SIZES = ((256, 256), (256, 320), (256, 384), (288, 288), (288, 320), (288, 352), (320, 288), (320, 320))
STATE_FIELDS, SUM_FIELDS = frozenset({"status", "status_text"}), frozenset({"amount", "currency"})


class Slip:
    """A page in large print. `rows` says where each field stands; a field without a row is not on the page."""

    def __init__(self, ticket: Ticket, rng: random.Random) -> None:
        width, height = rng.choice(SIZES)
        self.ticket, self.rng, self.labels = ticket, rng, LABELS[ticket.language]
        self.dark = rng.random() < 0.1
        ground = near(rng, (30, 30, 34), 8) if self.dark else near(rng, (246, 246, 246), 9)
        self.paper = Paper(width, height, ground)
        self.ink: Colour = (236, 236, 236) if self.dark else rng.choice((INK, (51, 51, 51), (20, 24, 30)))
        self.accent = near(rng, rng.choice(ACCENTS), 12)
        self.rows: dict[str, Box] = {}

    def draw(self) -> Drawing:
        """Rows from the top to the bottom until the page is full."""
        rng = self.rng
        if rng.random() < 0.6:
            self._head()
        rows: list[tuple[Callable[[], None], float]] = [
            (self._state, 44), (self._number, 52), (self._total, 36), (self._time, 46)
        ]  # fmt: skip
        rows += [(self._other, 26)] * rng.randrange(3) + [(self._goods, 62)] * (rng.random() < 0.3)
        rng.shuffle(rows)
        room = self.paper.left - sum(high for _, high in rows)
        for row, high in rows:
            if self.paper.left < high:
                continue
            self.paper.y += rng.uniform(0, max(0.0, room) * 0.3)
            start = self.paper.y
            row()
            self.paper.y = start + high
        return self.paper.drawing

    def _keep(self, names: frozenset[str] | set[str], box: tuple[float, float, float, float]) -> None:
        left, top, right, bottom = (round(side) for side in box)
        self.rows |= dict.fromkeys(names, (left, top, right, bottom))

    def _head(self) -> None:
        coloured = self.rng.random() < 0.6
        self.paper.box(0, 0, self.paper.width, 30, self.accent if coloured else WHITE)
        title = self.rng.choice(self.labels.title)
        x = self.rng.choice((10, (self.paper.width - length(title, 15)) / 2))
        self.paper.text(x, title, 15, WHITE if coloured else INK, down=6, thick=True)
        self.paper.y += 34

    def _state(self) -> None:
        solid = self.rng.random() < 0.35
        if solid:
            self.paper.box(0, 0, self.paper.width, 42, self.accent)
        points = self.rng.randint(18, 24)
        while length(self.ticket.state, points) > self.paper.width - 20:
            points -= 1
        colour = WHITE if solid else self.rng.choice((self.accent, self.ink))
        box = self.paper.text(self.rng.randint(8, 20), self.ticket.state, points, colour, down=7, thick=True)
        self._keep(STATE_FIELDS, box)
        self.paper.drawing.mark(box, f"status:{self.ticket.status.value}")

    def _printed(self, label: str, text: str, points: int, colour: Colour, *, below: bool) -> Box:
        """A label and its value: beside it where there is room, or below it."""
        face, small = self.rng.choice(DIGIT_FACES), self.rng.randint(12, 14)
        while length(text, points, face) > self.paper.width - 12 and points > 15:
            points -= 1
        self.paper.text(8, label, small, GREY if not self.dark else (170, 170, 170), down=2)
        wide = length(text, points, face)
        beside = 16 + length(label, small)
        if not below and beside + wide <= self.paper.width - 6:
            x = self.rng.choice((beside, self.paper.width - 8 - wide))
            box = self.paper.text(x, text, points, colour, digits=True, face=face)
        else:
            x = self.rng.uniform(4, max(5, min(14, self.paper.width - wide - 4)))
            box = self.paper.text(x, text, points, colour, down=18, digits=True, face=face)
        return tuple(round(side) for side in box)  # type: ignore[return-value]

    def _number(self) -> None:
        label, points = self.rng.choice(self.labels.number), self.rng.randint(19, 24)
        below = self.rng.random() < 0.7
        box = self._printed(label, self.ticket.number, points, self.ink, below=below)
        if box[2] < self.paper.width:
            self._keep({"order_id"}, box)

    def _total(self) -> None:
        label, colour = self.rng.choice(self.labels.total), self.rng.choice((self.accent, self.ink, (226, 40, 30)))
        box = self._printed(label, self.ticket.printed_amount, self.rng.randint(19, 25), colour, below=False)
        self._keep(SUM_FIELDS, box)

    def _time(self) -> None:
        label = self.rng.choice(self.labels.time)
        box = self._printed(label, self.ticket.printed_time, self.rng.randint(17, 19), self.ink, below=True)
        self._keep({"order_time"}, box)

    def _other(self) -> None:
        """A row that is not asked for: another sum, a tracking number, how it was paid."""
        labels: Labels = self.labels
        way = self.rng.random()
        if way < 0.5:
            label, value = self.rng.choice(labels.sums), f"{self.rng.choice(('', '-'))}{self.rng.randint(1, 99)}.00"
        elif way < 0.75:
            label, value = self.rng.choice(labels.others)
        else:
            label = self.rng.choice(CARRIERS[self.ticket.language])[0]
            value = "".join(self.rng.choice("0123456789") for _ in range(self.rng.randint(9, 13)))
        points = self.rng.randint(12, 15)
        self.paper.text(8, label, points, GREY)
        self.paper.text(self.paper.width - 8, value, points, self.ink, right=True)

    def _goods(self) -> None:
        self.paper.box(6, 0, self.paper.width - 6, 58, (52, 52, 56) if self.dark else WHITE, radius=4)
        self.paper.thumb(10, 4, 48, self.rng)
        for line in range(2):
            words = self.rng.choice(self.labels.buttons)
            self.paper.text(68, words, 13, GREY, down=6 + 22 * line)


def hidden_in(slip: Slip) -> frozenset[str]:
    """The fields that the page does not have."""
    return FIELDS - set(slip.rows)


def damaged(drawing: Drawing, slip: Slip, rng: random.Random) -> tuple[Drawing, frozenset[str]]:
    """The page with one or two rows covered, blurred or cut off, and the fields that can't be read any more."""
    names = [name for name in ("order_id", "amount", "order_time", "status") if name in slip.rows]
    lost: set[str] = set()
    for name in rng.sample(names, min(len(names), rng.choice((1, 1, 2)))):
        box = slip.rows[name]
        rng.choice((_cover, _blur, _smear))(drawing, box, slip, rng)
        lost |= {other for other, place in slip.rows.items() if place == box}
    _forget(drawing, slip, lost)
    return drawing, frozenset(lost)


def _forget(drawing: Drawing, slip: Slip, lost: set[str]) -> None:
    """No marks where nothing can be read."""
    boxes = [slip.rows[name] for name in lost]
    drawing.marks = [mark for mark in drawing.marks if not any(_meet(mark.box, box) for box in boxes)]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _cover(drawing: Drawing, box: Box, slip: Slip, rng: random.Random) -> None:
    """A sticker or a bar over most of it."""
    wide = box[2] - box[0]
    left = box[0] + rng.uniform(0, 0.3) * wide
    right = min(box[2] + 4.0, left + rng.uniform(0.55, 0.9) * wide)
    fill = rng.choice((slip.accent, (10, 10, 10), (250, 204, 60), (120, 120, 120)))
    slip.paper.pen.rounded_rectangle((left, box[1] - 2, right, box[3] + 2), rng.choice((0, 8)), fill=fill)


def _blur(drawing: Drawing, box: Box, slip: Slip, rng: random.Random) -> None:
    part = (max(0, box[0] - 4), max(0, box[1] - 2), min(drawing.image.width, box[2] + 4), box[3] + 2)
    soft = drawing.image.crop(part).filter(ImageFilter.GaussianBlur(rng.uniform(5, 9)))
    drawing.image.paste(soft, (part[0], part[1]))


def _smear(drawing: Drawing, box: Box, slip: Slip, rng: random.Random) -> None:
    """Large blocks, as people hide what is private."""
    part = (max(0, box[0] - 2), max(0, box[1] - 1), min(drawing.image.width, box[2] + 2), box[3] + 1)
    image = drawing.image.crop(part)
    block = rng.randint(10, 14)
    tiny = image.resize((max(1, image.width // block), max(1, image.height // block)))
    drawing.image.paste(tiny.resize(image.size, 0), (part[0], part[1]))


def cut(drawing: Drawing, slip: Slip, rng: random.Random) -> tuple[Drawing, frozenset[str]]:
    """The page without its right part, its lower or its upper one, and the fields that this takes away."""
    width, height = drawing.image.size
    way = rng.random()
    if way < 0.5 and width > 256:
        box = (0, 0, width - rng.choice((64, 96)), height)
    elif way < 0.75:
        box = (0, 0, width, height - rng.choice((64, 96, 128)))
    else:
        box = (0, rng.choice((64, 96, 128)), width, height)
    lost = {
        name
        for name, row in slip.rows.items()
        if row[0] < box[0] or row[1] < box[1] or row[2] > box[2] or row[3] > box[3]
    }
    made = drawing.cropped(box)
    made.marks = [mark for mark in made.marks if not _on_rows(mark.box, box, slip, lost)]
    return made, frozenset(lost)


def _on_rows(mark: Box, cut_to: Box, slip: Slip, lost: set[str]) -> bool:
    there = (mark[0] + cut_to[0], mark[1] + cut_to[1], mark[2] + cut_to[0], mark[3] + cut_to[1])
    return any(_meet(there, slip.rows[name]) for name in lost)
