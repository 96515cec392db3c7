"""From an agreement to a verdict: the same, another colour, similar, or nothing. All thresholds live here."""

from enum import StrEnum
from typing import NamedTuple

from cs_bot.knowledge.likeness.compare import Agreement

# Tuned on the bar's development seed; docs/measured/catalog.md has what they give on another one.
SAME_DETAIL = 130  # pixels of the product's longest side in the query; smaller ones show too little
SAME_SEEN = 0.42  # so much of what is drawn on the product picture must be in view
SAME_PATTERN = 0.9  # mean correlation of the blocks with texture
SAME_COLOUR = 4.5  # 90th percentile of the blocks' colour difference
PATTERN_PATCH = 0.5  # blocks that may disagree side by side (one block is 20 of 360 pixels square)
COLOUR_PATCH = 0.5
LOOSE_PATTERN = 0.45
LOOSE_BAD = 0.45  # share of blocks that may disagree in something merely similar
LOOSE_SEEN = 0.25
OTHER_PATTERN, OTHER_PATTERN_PATCH = 0.7, 6.0  # the same for another colour
TONES = (0.62, 1.6)  # a picture brighter or darker than this may hide another shade
STAIN, SPECK = 150, 25  # pixels that may be off side by side, and far off
NEARLY_BAD = 0.2  # share of blocks that a better alignment may still bring to agree
# Scores: the same 0.7..1, a part of it that agrees 0.6..0.7, another colour 0.4..0.6, similar 0..0.4.
SAME_FLOOR, PART_FLOOR, OTHER_FLOOR = 0.7, 0.6, 0.4


class Verdict(StrEnum):
    """What two pictures are to each other."""

    SAME = "same"
    OTHER_COLOUR = "other_colour"
    SIMILAR = "similar"


class Judged(NamedTuple):
    """A verdict with its score in 0..1."""

    verdict: Verdict
    score: float


def judge(found: Agreement) -> Judged | None:
    """The verdict on an aligned pair; None when they have nothing to do with each other."""
    quality = _quality(found)
    if found.seen < LOOSE_SEEN:
        return None
    if _agrees(found):
        if found.seen >= SAME_SEEN:
            return Judged(Verdict.SAME, SAME_FLOOR + (1 - SAME_FLOOR) * quality)
        return Judged(Verdict.SIMILAR, PART_FLOOR + (SAME_FLOOR - PART_FLOOR) * 0.95 * quality)
    if (
        found.pattern >= OTHER_PATTERN
        and found.pattern_patch <= OTHER_PATTERN_PATCH
        and found.colour_patch > COLOUR_PATCH
    ):
        return Judged(Verdict.OTHER_COLOUR, OTHER_FLOOR + (PART_FLOOR - OTHER_FLOOR) * 0.95 * quality)
    if found.pattern >= LOOSE_PATTERN and found.bad <= LOOSE_BAD:
        return Judged(Verdict.SIMILAR, OTHER_FLOOR * 0.95 * quality)
    return None


def nearly(found: Agreement) -> bool:
    """Whether a pair fits so well that a better alignment may make it the same."""
    return found.seen >= LOOSE_SEEN and found.pattern >= LOOSE_PATTERN and found.bad <= NEARLY_BAD


def _agrees(found: Agreement) -> bool:
    return (
        found.detail >= SAME_DETAIL
        and found.pattern >= SAME_PATTERN
        and found.colour <= SAME_COLOUR
        and found.pattern_patch <= PATTERN_PATCH
        and found.colour_patch <= COLOUR_PATCH
        and found.stain <= STAIN
        and found.speck <= SPECK
        and TONES[0] <= found.tone <= TONES[1]
    )


def _quality(found: Agreement) -> float:
    """0..1 from how well pattern and colour agree and how much is seen."""
    colour = max(0.0, 1 - found.colour / 40)
    return max(0.0, min(1.0, 0.5 * max(0.0, found.pattern) + 0.3 * colour + 0.2 * found.seen) * (1 - found.bad))
