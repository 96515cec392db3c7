"""Samples for the tiny checkpoint: a picture, a prompt, the answer, and what stands where on the picture.

    python -m cs_bot.demo.tiny.samples --sheet out.png --task read_order -n 48

Answers are JSON without blanks, in the order of the schema's keys. The same seed gives the same sample on every
machine: letters come from this package, not from its fonts.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cs_bot.demo.tiny.asks import enquiry
from cs_bot.demo.tiny.elsewhere import other
from cs_bot.demo.tiny.frames import Drawing, Mark, roughened, seen_again
from cs_bot.demo.tiny.pages import Pack, Shot
from cs_bot.demo.tiny.phones import order_list, order_page
from cs_bot.demo.tiny.scenes import Seen, scene
from cs_bot.demo.tiny.showing import comparison, product
from cs_bot.demo.tiny.slips import Slip, cut, damaged, hidden_in
from cs_bot.demo.tiny.things import Thing
from cs_bot.demo.tiny.tickets import FIELDS, ticket
from cs_bot.demo.tiny.wordings import prompts, worded
from cs_bot.records import Kind
from cs_bot.vision.answers import UNREADABLE, ComparisonRead, ItemRead, OrderRead, ProductRead, Reply, SceneRead, Strict

__all__ = ["TASKS", "Mark", "Sample", "draw_sample", "fresh", "use_pages"]


class Sample(NamedTuple):
    """One thing to learn. `words` says which wording of the prompt it has; 0 is the app's own."""

    task: str
    system: str
    text: str
    picture: NDArray[np.uint8] | None
    answer: str
    marks: tuple[Mark, ...]
    words: int


TASKS: dict[str, float] = {
    "classify": 0.14,
    "read_order": 0.2,
    "read_order_again": 0.1,
    "read_product": 0.18,
    "read_comparison": 0.12,
    "read_scene": 0.14,
    "answer_product": 0.08,
    "answer_comparison": 0.04,
    "answer_scene": 0.03,
    "answer_order": 0.02,
    "answer_text": 0.05,
}


def draw_sample(task: str, rng: random.Random) -> Sample:
    """A sample of one of TASKS."""
    return _MAKERS[task](task, rng)


def fresh(task: str, count: int, seed: int) -> Iterator[Sample]:
    """Samples for measuring: the app's own words only, from seeds that training never uses."""
    for number in range(count):
        yield _own(task, random.Random(f"fresh/{seed}/{task}/{number}"))


def _own(task: str, rng: random.Random) -> Sample:
    pack, _extra.pack = _extra.pack, None
    try:
        while True:
            sample = draw_sample(task, rng)
            if sample.words == 0:
                return sample
    finally:
        _extra.pack = pack


@dataclass
class _Extra:
    """Screenshots that are mixed in, where there are any."""

    pack: Pack | None = None

    def pick(self, kind: str, rng: random.Random, share: float) -> tuple[Drawing, Shot] | None:
        """One of a kind in `share` of the cases."""
        pack = self.pack
        if pack is None or kind not in pack.kinds or rng.random() >= share:
            return None
        return pack.pick(kind, rng)


_extra = _Extra()


def use_pages(folder: Path | None) -> None:
    """Mix the screenshots of a folder that `pages` wrote into what is drawn from now on, in this process."""
    _extra.pack = None if folder is None else Pack(folder)


def training(seed: int, number: int) -> random.Random:
    """The source of a training sample's randomness; never that of a fresh one."""
    return random.Random(f"training/{seed}/{number}")


def compact(answer: Strict) -> str:
    """An answer as the checkpoint writes it."""
    return json.dumps(answer.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))


def _sample(task: str, drawing: Drawing, answer: str, rng: random.Random) -> Sample:
    system, text, words = worded(task, rng)
    drawing.image = roughened(drawing.image, rng)
    return Sample(task, system, text, drawing.pixels(), answer, tuple(drawing.marks), words)


def _item(where: str, category: str, colour: str, style: str = "") -> ItemRead:
    unseen = dict.fromkeys(("brand", "material", "code"), UNREADABLE)
    return ItemRead(where=where, category=category, colour=colour, style=style or UNREADABLE, **unseen)


def _thing(where: str, thing: Thing) -> ItemRead:
    return _item(where, thing.category, thing.colour, thing.style)


def _product(task: str, rng: random.Random) -> Sample:
    shot = _extra.pick("product", rng, 0.06)
    if shot is not None:
        item = _item("whole", "mug", shot[1].colour, "plain")
        return _sample(task, shot[0], compact(ProductRead(items=(item,))), rng)
    drawing, thing = product(rng)
    return _sample(task, drawing, compact(ProductRead(items=(_thing("whole", thing),))), rng)


def _comparison(task: str, rng: random.Random) -> Sample:
    drawing, placed = comparison(rng)
    items = tuple(_thing(where, thing) for where, thing in placed)
    return _sample(task, drawing, compact(ComparisonRead(items=items)), rng)


def _scene(task: str, rng: random.Random) -> Sample:
    drawing, seen = scene(rng)
    return _sample(task, drawing, compact(SceneRead(items=tuple(_placed(seen)))), rng)


def _placed(seen: list[Seen]) -> Iterator[ItemRead]:
    for number, one in enumerate(seen, start=1):
        yield _item("whole" if len(seen) == 1 else str(number), *one)


def _order(task: str, rng: random.Random) -> Sample:
    drawing, answer = _order_picture(rng)
    if task == "read_order_again":
        drawing = seen_again(drawing)
    return _sample(task, drawing, compact(answer), rng)


def _order_picture(rng: random.Random) -> tuple[Drawing, OrderRead]:
    """Pages in large print, some of them damaged; small print and lists, of which nothing can be read."""
    shot = _extra.pick("order", rng, 0.15)
    if shot is not None:
        return shot[0], ticket(rng).read(FIELDS, several=shot[1].several)
    way = rng.random()
    if way < 0.14:
        drawing, order = order_page(rng)
        return drawing, order.read(FIELDS)
    if way < 0.2:
        return order_list(rng), ticket(rng).read(FIELDS, several=True)
    slip = Slip(ticket(rng), rng)
    drawing = slip.draw()
    lost: frozenset[str] = frozenset()
    if way < 0.24:
        lost, drawing = FIELDS, _small(drawing, rng)
    elif way < 0.38:
        drawing, lost = damaged(drawing, slip, rng)
    elif way < 0.46:
        drawing, lost = cut(drawing, slip, rng)
    return drawing, slip.ticket.read(lost | hidden_in(slip))


def _small(drawing: Drawing, rng: random.Random) -> Drawing:
    """Shrunk until digits are a few pixels high."""
    share = rng.uniform(0.3, 0.42)
    small = drawing.resized(*(round(side * share) for side in drawing.image.size))
    small.marks = []
    return small.fitted()


def _answer(task: str, rng: random.Random) -> Sample:
    kind = Kind(task.removeprefix("answer_"))
    asked = enquiry(Kind.OTHER if kind is Kind.TEXT and rng.random() < 0.15 else kind, rng)
    prompt = prompts().answer(asked.ask)
    system, text, words = worded(task, rng, own=prompt.text)
    answer = compact(Reply(reply=asked.reply))
    if asked.drawing is None:
        return Sample(task, system, text, None, answer, (), words)
    image = roughened(asked.drawing.image, rng)
    return Sample(task, system, text, np.asarray(image), answer, tuple(asked.drawing.marks), words)


def _kind(task: str, rng: random.Random) -> Sample:
    kind = rng.choice(("product", "comparison", "order", "scene", "other"))
    return _sample(task, _of_kind(kind, rng), kind, rng)


def _of_kind(kind: str, rng: random.Random) -> Drawing:
    shot = _extra.pick(kind, rng, 0.06 if kind == "product" else 0.3)
    if shot is not None:
        return shot[0]
    if kind == "product":
        return product(rng)[0]
    if kind == "comparison":
        return comparison(rng)[0]
    if kind == "scene":
        return scene(rng)[0]
    if kind == "other":
        return other(rng)
    way = rng.random()
    if way < 0.6:
        return order_page(rng)[0]
    return order_list(rng) if way < 0.75 else _order_picture(rng)[0]


_MAKERS: dict[str, Callable[[str, random.Random], Sample]] = {
    "classify": _kind,
    "read_order": _order,
    "read_order_again": _order,
    "read_product": _product,
    "read_comparison": _comparison,
    "read_scene": _scene,
    "answer_product": _answer,
    "answer_comparison": _answer,
    "answer_scene": _answer,
    "answer_order": _answer,
    "answer_text": _answer,
}


def main() -> None:
    """Draw a contact sheet of a task's samples."""
    parser = argparse.ArgumentParser(prog="python -m cs_bot.demo.tiny.samples", description=main.__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="the picture to write, such as out.png")
    parser.add_argument("--task", choices=sorted(TASKS), default="classify")
    parser.add_argument("-n", type=int, default=48, help="how many (default: 48)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pages", type=Path, help="a folder that `pages` wrote, to be mixed in")
    args = parser.parse_args()
    use_pages(args.pages)
    from cs_bot.demo.tiny.sheet import sheet

    sheet([draw_sample(args.task, training(args.seed, number)) for number in range(args.n)]).save(args.sheet)
    print(f"wrote {args.sheet}")


if __name__ == "__main__":
    main()
