"""Looks and drafts in Redis: the key holds everything the value depends on; one computation for many askers."""

from cs_bot.cache.drafts import DraftAsked, DraftCache
from cs_bot.cache.keys import kept, purge
from cs_bot.cache.looks import LookCache, PictureAsked, Sample, differences
from cs_bot.cache.private import is_personal
from cs_bot.cache.tally import CACHES, RESULTS, counts

__all__ = [
    "CACHES",
    "RESULTS",
    "DraftAsked",
    "DraftCache",
    "LookCache",
    "PictureAsked",
    "Sample",
    "counts",
    "differences",
    "is_personal",
    "kept",
    "purge",
]
