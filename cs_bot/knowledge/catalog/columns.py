"""What a product is found by: its search column (decision 0004) and its codes."""

import re
from collections.abc import Iterator

from cs_bot.claims.fold import SIMPLIFIED
from cs_bot.knowledge.words import grams
from cs_bot.schemas import ProductIn
from cs_bot.store.queries.products import Searchable, product_code

GRAMS_VERSION = 1  # raise it when the search column is built otherwise: `cs-bot catalog index` then renews stored ones
MOST_VARIANTS = 200  # whose words are in the search column; the codes of all are found
MOST_TEXT = 20_000  # characters of attributes and variants that are searched: PostgreSQL refuses columns beyond 1 MB
CODE_NAMES = re.compile(
    r"(?:货号|款号|型号|编号|条码|条形码|商品编码|品番|型番|품번|모델명|sku|mpn|upc|ean|isbn|gtin|barcode|"
    r"article(?: number)?|style(?: (?:no|number|code))\.?|item (?:no|number|code)\.?|model(?: (?:no|number))?\.?)",
    re.IGNORECASE,
)

_TO_SIMPLIFIED = str.maketrans(SIMPLIFIED)
_HYPHENED = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]++(?:[-'’][A-Za-z0-9]++)++")  # linear, whatever is written


def searchable(item: ProductIn) -> Searchable:
    """The product with what the store searches."""
    return Searchable(item=item, grams=search_column(item), grams_version=GRAMS_VERSION, codes=tuple(_codes(item)))


def search_column(item: ProductIn) -> str:
    """Three lines of grams: the title; brand and category; attributes and variants."""
    kind = " ".join(filter(None, (item.brand, item.category)))
    more = dict.fromkeys(_words_of(item))
    return "\n".join(grams(plain(text)) for text in (item.title, kind, " | ".join(more)[:MOST_TEXT]))


def plain(text: str) -> str:
    """Text as it is compared: simplified characters, and `t-shirt` as `tshirt` too."""
    joined = {match[0]: re.sub(r"[-'’]", "", match[0]) for match in _HYPHENED.finditer(text)}
    return " ".join([text.translate(_TO_SIMPLIFIED), *joined.values()])


def _words_of(item: ProductIn) -> Iterator[str]:
    for name, value in item.attributes.items():
        if not CODE_NAMES.fullmatch(name.strip()):
            yield from (name, value)
    for variant in item.variants[:MOST_VARIANTS]:
        yield variant.title
        yield from (value for name, value in variant.attributes.items() if not CODE_NAMES.fullmatch(name.strip()))


def _codes(item: ProductIn) -> Iterator[tuple[str, str | None]]:
    """(code, SKU that it means): SKUs first, so that a product whose id is its only SKU names the variant."""
    found: dict[str, str | None] = {}
    for variant in item.variants:
        found.setdefault(product_code(variant.sku), variant.sku)
        for code in _named_codes(variant.attributes):
            found.setdefault(code, variant.sku)
    for code in (product_code(item.product_id), *_named_codes(item.attributes)):
        found.setdefault(code, None)
    yield from ((code, sku) for code, sku in found.items() if code)


def _named_codes(attributes: dict[str, str]) -> Iterator[str]:
    for name, value in attributes.items():
        if CODE_NAMES.fullmatch(name.strip()):
            yield product_code(value)
