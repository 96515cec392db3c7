"""A WooCommerce product export as it is: variable products with their variations as rows of their own."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cs_bot.knowledge.cells import time
from cs_bot.knowledge.exports.how import How
from cs_bot.knowledge.exports.values import money, once, short, text_of_html, whole_number
from cs_bot.knowledge.rows import Row, RowFile

MARKS = (frozenset({"type", "name", "regular price"}),)
KNOWN = re.compile(
    r"id|type|sku|gtin, upc, ean, or isbn|name|published|is featured\?|visibility in catalog|(?:short )?description"
    r"|date sale price (?:starts|ends)|tax (?:status|class)|in stock\?|stock|low stock amount|backorders allowed\?"
    r"|sold individually\?|(?:weight|length|width|height) \(.*\)|allow customer reviews\?|purchase note|sale price"
    r"|regular price|categories|tags|shipping class|images|download .*|parent|grouped products|upsells|cross-sells"
    r"|external url|button text|position|brands?|swatches attributes|attribute \d+ .*|meta: .*|cost of goods"
)
_VARIATION = "variation"
_TYPES = frozenset({"simple", "variable", _VARIATION, "external", "grouped"})
_SEPARATE = re.compile(r"(?<!\\),\s*")
_PICTURES = re.compile(r",\s*(?=https?://)", re.IGNORECASE)


def rows(file: RowFile, how: How) -> Iterator[Row]:
    """One row a product, on its own line. Variations may stand anywhere in the file: it is read whole."""
    parents: list[Row] = []
    variations: dict[str, list[Row]] = {}
    for row in file.rows():
        kind = _kind(row.values)
        if row.problem is not None:
            yield row
        elif kind not in _TYPES:
            yield Row(row.line, {}, f"type: unknown; known: {', '.join(sorted(_TYPES))}")
        elif kind == _VARIATION:
            variations.setdefault(row.values.get("parent", ""), []).append(row)
        else:
            parents.append(row)
    for row in parents:
        names = [f"id:{row.values['id']}"] if row.values.get("id") else []
        names += [row.values["sku"]] if row.values.get("sku") else []
        mine = [variation for name in names for variation in variations.pop(name, ())]
        yield from _product(row, sorted(mine, key=lambda one: one.line), how)
    for name, lost in variations.items():
        for row in lost:
            yield Row(row.line, {}, f"parent: {name} is not in the file" if name else "parent: it is missing")


def _kind(cells: dict[str, str]) -> str:
    """`simple, virtual` is a simple product."""
    return cells.get("type", "").split(",")[0].strip().casefold()


def _product(row: Row, variations: Sequence[Row], how: How) -> Iterator[Row]:
    """The product, or each line's problems."""
    cells = row.values
    own_id = cells.get("id") or cells.get("sku")
    problems = [f"{name}: it is missing" for name in ("name",) if not cells.get(name)]
    problems += [] if own_id else ["id: it is missing, and so is sku"]
    sold, found = _sold(cells, how)
    problems += found
    variants: list[dict[str, Any]] = []
    bad = False
    for one in variations:
        if one.values.get("published", "1") not in ("1", ""):
            continue
        values, wrong = _variant(one.values, str(own_id), how)
        variants.append(values)
        if wrong:
            bad = True
            yield Row(one.line, {}, "; ".join(wrong))
    if problems:
        yield Row(row.line, {}, "; ".join(problems))
    if problems or bad:
        return
    for variant, sku in zip(variants, once([variant["sku"] for variant in variants]), strict=True):
        variant["sku"] = sku
    yield Row(row.line, how.fill(_values(str(own_id), cells, sold, variants, how)))


def _values(
    own_id: str, cells: dict[str, str], sold: dict[str, Any], variants: list[dict[str, Any]], how: How
) -> dict[str, Any]:
    attributes = _attributes(cells)
    if cells.get("sku") and not variants:
        variants = [{"sku": short(cells["sku"]), **sold}]
    elif cells.get("sku"):
        attributes["SKU"] = short(cells["sku"])
    if cells.get("gtin, upc, ean, or isbn"):
        attributes["GTIN"] = short(cells["gtin, upc, ean, or isbn"])
    if cells.get("tags"):
        attributes["Tags"] = short(cells["tags"])
    link = cells.get("external url") or (how.link(f"?post_type=product&p={own_id}") if cells.get("id") else None)
    return {
        "product_id": own_id,
        "title": cells["name"],
        "description": text_of_html(cells.get("description") or cells.get("short description", "")),
        "brand": short(cells.get("brands") or cells.get("brand", "")) or None,
        "category": _category(cells.get("categories", "")),
        "url": link,
        "pictures": _pictures(cells),
        "attributes": attributes,
        "variants": variants,
        "active": cells.get("published", "1") == "1" and cells.get("visibility in catalog", "visible") != "hidden",
        **sold,
    }


def _variant(cells: dict[str, str], own_id: str, how: How) -> tuple[dict[str, Any], list[str]]:
    sold, problems = _sold(cells, how)
    attributes = _attributes(cells)
    values = {
        "sku": short(cells.get("sku") or ":".join([own_id, *attributes.values()])),
        "title": short(" / ".join(attributes.values())),
        "attributes": attributes,
        "picture": next(iter(_pictures(cells)), None),
        **sold,
    }
    if cells.get("gtin, upc, ean, or isbn"):
        attributes["GTIN"] = short(cells["gtin, upc, ean, or isbn"])
    return values, problems


def _sold(cells: dict[str, str], how: How) -> tuple[dict[str, Any], list[str]]:
    """Price and stock, and what is wrong with them."""
    problems: list[str] = []
    prices: dict[str, Decimal] = {}
    for column in ("regular price", "sale price"):
        try:
            if cells.get(column):
                prices[column] = money(cells[column])
        except ValueError as problem:
            problems.append(f"{column}: {problem}")
    try:
        on_sale = _on_sale(cells, how)
    except ValueError as problem:
        problems.append(f"date sale price: {problem}")
        on_sale = False
    try:
        stock = _stock(cells)
    except ValueError as problem:
        problems.append(f"stock: {problem}")
        stock = None
    regular = prices.get("regular price")
    return {"price": prices.get("sale price", regular) if on_sale else regular, "stock": stock}, problems


def _on_sale(cells: dict[str, str], how: How) -> bool:
    """Whether the sale price counted when the file was exported."""
    zone = how.zone or UTC
    starts, ends = cells.get("date sale price starts"), cells.get("date sale price ends")
    after: datetime | None = time(starts, zone) if starts else None
    until: datetime | None = time(ends, zone) if ends else None
    return (after is None or after <= how.exported_at) and (until is None or how.exported_at <= until)


def _stock(cells: dict[str, str]) -> int | None:
    """None where nobody counts; a variation whose stock is its parent's has none of its own."""
    there = cells.get("in stock?", "").casefold()
    counted = cells.get("stock", "")
    if there in ("0", "backorder"):
        return 0
    return max(0, whole_number(counted)) if counted and counted.casefold() != "parent" else None


def _attributes(cells: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for column, name in cells.items():
        number = re.fullmatch(r"attribute (\d+) name", column)
        value = cells.get(f"attribute {number[1]} value(s)") if number else None
        if value:
            found[short(name)] = short(value.replace("\\,", ","))
    return found


def _category(cell: str) -> str | None:
    paths = [path for path in _SEPARATE.split(cell) if path.strip()]
    deepest = max(paths, key=lambda path: path.count(">"), default="")
    return short(deepest.split(">")[-1].replace("\\,", ",")) or None


def _pictures(cells: dict[str, str]) -> list[str]:
    cell = cells.get("images", "")
    parts = _PICTURES.split(cell) if "://" in cell else cell.split(",")
    return [part.strip() for part in parts if part.strip()]
