"""Decides with the words between kinds that a picture can't tell apart."""

import math
from collections.abc import Iterable, Mapping

from cs_bot.knowledge.product_words import ProductWords
from cs_bot.records import Kind

# How likely such words are beside a picture of each kind, as a share of the likeliest. Set by hand on the dev part of
# tests/data and tests/kinds; docs/measured/kinds.md has what comes of it. Words about a thing for sale speak for
# product over scene, a choice between things for two of them, a room, an outfit or a device in use for scene. Nearly
# all questions about products are known here, so that an unknown one (open) speaks for scene. What is printed on a
# cart, a chat or a settings page (other) is strong evidence: words move it less.
LIKELIHOODS: dict[str, dict[Kind, float]] = {
    "exists": {Kind.PRODUCT: 1.0, Kind.COMPARISON: 0.5, Kind.SCENE: 0.25, Kind.OTHER: 0.4},
    "price": {Kind.PRODUCT: 1.0, Kind.COMPARISON: 0.7, Kind.SCENE: 0.15, Kind.OTHER: 0.4},
    "stock": {Kind.PRODUCT: 1.0, Kind.COMPARISON: 0.7, Kind.SCENE: 0.15, Kind.OTHER: 0.4},
    "link": {Kind.PRODUCT: 1.0, Kind.COMPARISON: 0.6, Kind.SCENE: 0.25, Kind.OTHER: 0.4},
    "colour": {Kind.PRODUCT: 1.0, Kind.COMPARISON: 0.6, Kind.SCENE: 0.15, Kind.OTHER: 0.4},
    "size": {Kind.PRODUCT: 1.0, Kind.COMPARISON: 0.6, Kind.SCENE: 0.2, Kind.OTHER: 0.4},
    "material": {Kind.PRODUCT: 1.0, Kind.COMPARISON: 0.7, Kind.SCENE: 0.15, Kind.OTHER: 0.4},
    "fit": {Kind.PRODUCT: 1.0, Kind.COMPARISON: 0.7, Kind.SCENE: 0.4, Kind.OTHER: 0.4},
    "compare": {Kind.PRODUCT: 0.06, Kind.COMPARISON: 1.0, Kind.SCENE: 0.08, Kind.OTHER: 0.2},
    "advice": {Kind.PRODUCT: 0.45, Kind.COMPARISON: 0.6, Kind.SCENE: 1.0, Kind.OTHER: 0.3},
    "place": {Kind.PRODUCT: 0.25, Kind.COMPARISON: 0.5, Kind.SCENE: 1.0, Kind.OTHER: 0.4},
    "trouble": {Kind.PRODUCT: 0.15, Kind.COMPARISON: 0.1, Kind.SCENE: 1.0, Kind.OTHER: 1.0},
    "open": {Kind.PRODUCT: 0.4, Kind.COMPARISON: 0.5, Kind.SCENE: 1.0, Kind.OTHER: 1.0},
}
PHOTOS = frozenset({Kind.PRODUCT, Kind.SCENE, Kind.COMPARISON})


def weigh(shown: Mapping[Kind, float], words: ProductWords) -> dict[Kind, float]:
    """The picture's kind probabilities with the words counted in (naive Bayes over LIKELIHOODS); pure, sums as before.

    The share of `order` never moves: words make no order page and unmake none. When the picture itself says something
    else, that stays above `order` too.
    """
    kinds = dict(shown)
    cues = [*words.aspects, *(name for name in ("place", "trouble", "open") if getattr(words, name))]
    rest = {kind: share for kind, share in kinds.items() if kind in LIKELIHOODS["price"]}
    moved = {kind: share * math.prod(LIKELIHOODS[cue][kind] for cue in cues) for kind, share in rest.items()}
    order = kinds.get(Kind.ORDER, 0.0)
    if order >= max(rest.values(), default=0.0) or not cues:
        return kinds
    scale = sum(rest.values()) / sum(moved.values())
    moved = {kind: share * scale for kind, share in moved.items()}
    return {**kinds, **moved} if max(moved.values()) > order else kinds


def kind_of_turn(pictures: Iterable[Mapping[Kind, float]], words: ProductWords) -> tuple[Kind, dict[Kind, float]]:
    """The kind of a turn by its pictures' probabilities (words counted in), and their mean.

    No picture: text. An order page among them: order, whatever else is shown. Several photos and words that compare:
    comparison. Else the likeliest of the mean.
    """
    shown = list(pictures)
    if not shown:
        return Kind.TEXT, {Kind.TEXT: 1.0}
    mean = {kind: sum(kinds.get(kind, 0.0) for kinds in shown) / len(shown) for kind in Kind}
    likeliest = [max(kinds, key=lambda kind: kinds[kind]) for kinds in shown]
    if Kind.ORDER in likeliest:
        return Kind.ORDER, mean
    if "compare" in words.aspects and sum(kind in PHOTOS for kind in likeliest) > 1:
        return Kind.COMPARISON, mean
    return max(mean, key=lambda kind: mean[kind]), mean
