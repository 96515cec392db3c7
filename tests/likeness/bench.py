"""Runs the bar: a drawn shop's pictures indexed, degraded queries searched, answers counted."""

import random
import time
from collections.abc import Iterable
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
    outside: dict[str, Counts] = field(default_factory=dict)  # right: not called the same
    outside_changes: dict[str, Counts] = field(default_factory=dict)
    labels: Counts = field(default_factory=Counts)  # outside, two digits of a small label differ
    twins: Counts = field(default_factory=Counts)
    bad: list[Case] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    unseen: int = 0  # drawn differences that nobody would see

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


def build(shop: Shop) -> LikenessIndex:
    """The index over a shop's pictures."""
    return LikenessIndex((key, features(picture(spec, shop.seed))) for key, spec in shop.items.items())


def differs(a: Image.Image, b: Image.Image) -> bool:
    """Whether somebody who looks would see a difference between two pictures of the same size."""
    x, y = (cv2.GaussianBlur(np.asarray(p.resize((320, 320))), (0, 0), 1.5).astype(np.int16) for p in (a, b))
    return float((np.abs(x - y).max(axis=2) > VISIBLE_LEVELS).mean()) >= VISIBLE_SHARE


def run(seed: int, *, products: int = 500, per_change: int = 90, outside: int = 320, each: int = 2) -> Result:
    """The bar on the shop of `seed`: `per_change` queries a change, and `outside` unknown products `each` times."""
    shop = make_shop(seed, products, outside)
    index = build(shop)
    result = Result(seed, len(shop.items))
    rng = random.Random(seed + 1)
    for name in CHANGES:
        for key in rng.sample(sorted(shop.items), min(per_change, len(shop.items))):
            _positive(result, shop, index, name, key, rng)
    names = list(CHANGES)
    for n, (sort, spec) in enumerate(shop.outside):
        drawn = picture(spec, shop.seed)
        if sort != "label" and not _visible(shop, spec, drawn):
            result.unseen += 1
            continue
        for turn in range(each):
            _negative(result, index, names[(n * each + turn + n // len(names)) % len(names)], sort, drawn, rng)
    return result


def _visible(shop: Shop, spec: Spec, drawn: Image.Image) -> bool:
    family = [item for item in shop.items.values() if item.pose == spec.pose]
    return all(differs(drawn, picture(item, shop.seed)) for item in family)


def _search(result: Result, index: LikenessIndex, query: Image.Image) -> list[Match]:
    started = time.perf_counter()
    found = index.search(query)
    result.milliseconds.append(1e3 * (time.perf_counter() - started))
    return found


def _positive(result: Result, shop: Shop, index: LikenessIndex, change: str, key: str, rng: random.Random) -> None:
    found = _search(result, index, CHANGES[change](picture(shop.items[key], shop.seed), rng))
    counts = result.twins if key in shop.twins else result.changes.setdefault(change, Counts())
    counts.n += 1
    outcome = judged(found, key)
    setattr(counts, outcome, getattr(counts, outcome) + 1)
    if outcome != "right":
        result.bad.append(Case(change, "item", key, tuple(found[:3])))


def _negative(
    result: Result, index: LikenessIndex, change: str, sort: str, drawn: Image.Image, rng: random.Random
) -> None:
    found = _search(result, index, CHANGES[change](drawn, rng))
    tallies = [result.labels] if sort == "label" else [
        result.outside.setdefault(sort, Counts()), result.outside_changes.setdefault(change, Counts())
    ]  # fmt: skip
    outcome = {"same": "wrong", "other_colour": "other_colour", "similar": "similar"}.get(
        found[0].verdict if found else "", "none"
    )
    for counts in tallies:
        counts.n += 1
        counts.right += outcome != "wrong"
        setattr(counts, outcome, getattr(counts, outcome) + 1)
    if outcome == "wrong":
        result.bad.append(Case(change, sort, "-", tuple(found[:3])))


def judged(found: list[Match], key: str) -> str:
    """The outcome of a query for an item."""
    if not found:
        return "none"
    best = found[0]
    if is_clear(best):
        return "right" if best.key == key else "wrong"
    if best.verdict == "same":
        return "asked" if any(m.key == key and m.verdict == "same" for m in found) else "none"
    return str(best.verdict) if best.key == key else "none"
