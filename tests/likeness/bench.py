"""Runs the bar: a drawn shop's pictures indexed, degraded queries searched, answers counted."""

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from cs_bot.knowledge.likeness import LikenessIndex, Match, features, is_clear
from tests.likeness.degrade import CHANGES
from tests.likeness.draw import picture
from tests.likeness.specs import Shop, Spec, make_shop

VISIBLE_LEVELS, VISIBLE_SHARE = 24, 0.006  # pictures differ visibly: by so many levels on this share of them


@dataclass
class Counts:
    """Outcomes of one sort of queries. For positives `right` is a clear "same" with the right key."""

    n: int = 0
    right: int = 0
    asked: int = 0  # "same", the right key among those named, but no clear margin: the caller asks
    other_colour: int = 0  # the right key first, as another colour
    similar: int = 0  # ... or as similar
    none: int = 0  # nothing, or other keys without being sure
    wrong: int = 0  # a clear "same" with a wrong key


@dataclass(frozen=True)
class Case:
    """One query to look at: which change, what the truth is and what came out."""

    change: str
    sort: str
    truth: str
    got: tuple[Match, ...]


@dataclass
class Result:
    """Everything that the report shows."""

    seed: int
    products: int = 0
    changes: dict[str, Counts] = field(default_factory=dict)
    outside: dict[str, Counts] = field(default_factory=dict)  # never right; wrong: called the same
    outside_changes: dict[str, Counts] = field(default_factory=dict)
    labels: Counts = field(default_factory=Counts)  # outside, two digits of a small label differ
    twins: Counts = field(default_factory=Counts)
    bad: list[tuple[str, Case]] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    unseen: int = 0  # drawn differences that nobody would see

    def note(self, case: Case, *, twin: bool, outcome: str) -> None:
        """Count one query."""
        if case.sort == "item":
            counts = [self.twins if twin else self.changes.setdefault(case.change, Counts())]
        elif case.sort == "label":
            counts = [self.labels]
        else:
            by_change = self.outside_changes.setdefault(case.change, Counts())
            counts = [self.outside.setdefault(case.sort, Counts()), by_change]
        for tally in counts:
            tally.n += 1
            setattr(tally, outcome, getattr(tally, outcome) + 1)
        if outcome != "right" and (case.sort == "item" or outcome == "wrong"):
            self.bad.append((outcome, case))

    def positives(self) -> Counts:
        """All re-posted pictures of items that have no twin."""
        return total(self.changes.values())

    def negatives(self) -> Counts:
        """All products that the shop does not sell, labels apart."""
        return total(self.outside.values())


def total(parts: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    whole = Counts()
    for part in parts:
        for name in vars(whole):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
    return whole


class Drawn:
    """The pictures of a shop, each drawn once."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._kept: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> Image.Image:
        if key not in self._kept:
            drawn = picture(self.shop.items[key], self.shop.seed)
            self._kept[key] = cv2.imencode(".png", np.asarray(drawn), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
        return Image.fromarray(cv2.imdecode(np.frombuffer(self._kept[key], np.uint8), cv2.IMREAD_COLOR))

    def index(self) -> LikenessIndex:
        """The index over all of them."""
        return LikenessIndex((key, features(self[key])) for key in self.shop.items)


def differs(a: Image.Image, b: Image.Image) -> bool:
    """Whether somebody who looks would see a difference between two pictures of the same size."""
    x, y = (cv2.GaussianBlur(np.asarray(p.resize((320, 320))), (0, 0), 1.5).astype(np.int16) for p in (a, b))
    return float((np.abs(x - y).max(axis=2) > VISIBLE_LEVELS).mean()) >= VISIBLE_SHARE


def queries(drawn: Drawn, *, per_change: int, each: int, result: Result) -> Iterator[tuple[str, str, str, Image.Image]]:
    """(change, sort, key, query): all changes on items (sort "item"); unknown products, `each` of them so often."""
    shop = drawn.shop
    rng = random.Random(shop.seed + 1)
    names = list(CHANGES)
    for name in names:
        for key in rng.sample(sorted(shop.items), min(per_change, len(shop.items))):
            yield name, "item", key, CHANGES[name](drawn[key], rng)
    for n, (sort, spec) in enumerate(shop.outside):
        made = picture(spec, shop.seed)
        if sort != "label" and not _visible(drawn, spec, made):
            result.unseen += 1
            continue
        for turn in range(each):
            name = names[(n * each + turn + n // len(names)) % len(names)]
            yield name, sort, "", CHANGES[name](made, rng)


def run(seed: int, *, products: int = 500, per_change: int = 90, outside: int = 320, each: int = 2) -> Result:
    """The bar on the shop of `seed`: `per_change` queries a change, and `outside` unknown products `each` times."""
    drawn = Drawn(make_shop(seed, products, outside))
    index = drawn.index()
    result = Result(seed, len(drawn.shop.items))
    for change, sort, key, query in queries(drawn, per_change=per_change, each=each, result=result):
        started = time.perf_counter()
        found = index.search(query)
        result.milliseconds.append(1e3 * (time.perf_counter() - started))
        result.note(
            Case(change, sort, key, tuple(found[:3])), twin=key in drawn.shop.twins, outcome=outcome(found, key)
        )
    return result


def _visible(drawn: Drawn, spec: Spec, made: Image.Image) -> bool:
    return all(differs(made, drawn[key]) for key, item in drawn.shop.items.items() if item.pose == spec.pose)


def outcome(found: list[Match], key: str) -> str:
    """The name of the count that a query for an item (or for none: an empty key) goes to."""
    if not key:
        return {"same": "wrong", "other_colour": "other_colour", "similar": "similar", "": "none"}[
            found[0].verdict if found else ""
        ]
    if not found:
        return "none"
    best = found[0]
    if is_clear(best):
        return "right" if best.key == key else "wrong"
    if best.verdict == "same":
        return "asked" if any(m.key == key and m.verdict == "same" for m in found) else "none"
    return str(best.verdict) if best.key == key else "none"
