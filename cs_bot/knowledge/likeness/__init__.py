"""Is this picture the same item as one of the shop's product pictures? No database; OpenCV on first use.

    index = LikenessIndex((key, features(picture)) for ...)
    matches = index.search(query)        # best first; [] when nothing is like it

A match may be stated without asking only when `is_clear(match)` says so.
"""

from cs_bot.knowledge.likeness.extract import FEATURES_VERSION, Features, features
from cs_bot.knowledge.likeness.index import CLEAR_MARGIN, LikenessIndex, Limits, Match, is_clear
from cs_bot.knowledge.likeness.pixels import Box, Pixels
from cs_bot.knowledge.likeness.regions import propose_regions

__all__ = [
    "CLEAR_MARGIN",
    "FEATURES_VERSION",
    "Box",
    "Features",
    "LikenessIndex",
    "Limits",
    "Match",
    "Pixels",
    "features",
    "is_clear",
    "propose_regions",
]
