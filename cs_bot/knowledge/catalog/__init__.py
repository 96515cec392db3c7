"""The shop's catalog: search column and codes, search by words and by picture, lookups of a turn."""

from cs_bot.knowledge.catalog.catalog import Catalog
from cs_bot.knowledge.catalog.columns import GRAMS_VERSION, searchable

__all__ = ["GRAMS_VERSION", "Catalog", "searchable"]
