"""Catalog files of shop systems as rows of our own schema: recognised by their header."""

from cs_bot.knowledge.exports.formats import FORMATS, CatalogFile, open_catalog_file
from cs_bot.knowledge.exports.how import How

__all__ = ["FORMATS", "CatalogFile", "How", "open_catalog_file"]
