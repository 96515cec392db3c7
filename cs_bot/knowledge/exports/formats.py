"""Which system wrote a catalog file, and its products as rows of schemas.ProductIn."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cs_bot.errors import ConfigError, ImportRefused
from cs_bot.knowledge.exports import own, shopify, woocommerce
from cs_bot.knowledge.exports.how import How
from cs_bot.knowledge.rows import Row, RowFile, open_rows

_SHOWN = 12  # columns told when no format is recognised


@dataclass(frozen=True)
class Format:
    """One kind of file. `marks`: sets of columns of which one must be there whole; `known`: all columns it may have."""

    title: str
    marks: tuple[frozenset[str], ...]
    known: re.Pattern[str]
    rows: Callable[[RowFile, How], Iterator[Row]]
    has_currency: bool = False

    def fits(self, columns: frozenset[str]) -> bool:
        """Whether a header is one of this format."""
        return any(marks <= columns for marks in self.marks)


FORMATS = {
    "own": Format("cs-bot's own", own.MARKS, own.KNOWN, own.rows, has_currency=True),
    "shopify": Format("Shopify product export", shopify.MARKS, shopify.KNOWN, shopify.rows),
    "woocommerce": Format("WooCommerce product export", woocommerce.MARKS, woocommerce.KNOWN, woocommerce.rows),
}


@dataclass(frozen=True)
class CatalogFile:
    """A catalog file of a known format; `rows` are products with values as schemas.ProductIn takes them."""

    file: RowFile
    format: str
    how: How

    def rows(self) -> Iterator[Row]:
        """Every product, or what is wrong with a line."""
        return FORMATS[self.format].rows(self.file, self.how)

    def estimate(self) -> int:
        """About how many lines there are."""
        return self.file.estimate()

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns that this format does not have."""
        known = FORMATS[self.format].known
        return tuple(name for name in self.file.columns if name and not known.fullmatch(name))


def open_catalog_file(path: Path, how: How, named: str = "auto") -> CatalogFile:
    """Recognise a file. Raises ImportRefused for a header of no format, ConfigError when the currency is missing."""
    known = {name for one in FORMATS.values() for marks in one.marks for name in marks}
    file = open_rows(path, known=known, required=set())
    name = named if named != "auto" else _recognised(file)
    chosen = FORMATS[name]
    if file.is_csv and not chosen.fits(frozenset(file.columns)):
        raise ImportRefused([(1, f"no header of a {chosen.title}: {_expected(name)}; found: {_found(file)}")])
    if not file.is_csv and name != "own":
        raise ImportRefused([(1, f"a {chosen.title} is a CSV file")])
    if not chosen.has_currency and how.currency is None:
        raise ConfigError(f"a {chosen.title} does not say its currency: add --currency, for example --currency USD")
    return CatalogFile(file, name, how)


def _recognised(file: RowFile) -> str:
    if not file.is_csv:
        return "own"
    fitting = [name for name, one in FORMATS.items() if one.fits(frozenset(file.columns))]
    if fitting:
        return fitting[0]
    expected = "; ".join(f"{one.title}: {_expected(name)}" for name, one in FORMATS.items())
    raise ImportRefused([(1, f"the header is of no known catalog file. Known: {expected}. Found: {_found(file)}")])


def _expected(name: str) -> str:
    return " or ".join(" + ".join(sorted(marks)) for marks in FORMATS[name].marks)


def _found(file: RowFile) -> str:
    more = f" and {len(file.columns) - _SHOWN} more" if len(file.columns) > _SHOWN else ""
    return (", ".join(file.columns[:_SHOWN]) or "nothing") + more
