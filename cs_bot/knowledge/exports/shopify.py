"""A Shopify product export as it is: several rows a handle, one a variant or a further picture; old and new columns."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from cs_bot.knowledge.exports.how import How
from cs_bot.knowledge.exports.values import money, once, short, text_of_html, whole_number
from cs_bot.knowledge.rows import Row, RowFile

# The columns of the older export; those of the newer one beside them.
_NEWER = {
    "url handle": "handle",
    "description": "body (html)",
    "published on online store": "published",
    "sku": "variant sku",
    "barcode": "variant barcode",
    "price": "variant price",
    "inventory tracker": "variant inventory tracker",
    "inventory quantity": "variant inventory qty",
    "continue selling when out of stock": "variant inventory policy",
    "product image url": "image src",
    "variant image url": "variant image",
}
MARKS = (
    frozenset({"handle", "title", "variant price"}),
    frozenset({"url handle", "title", "price"}),
)
KNOWN = re.compile(
    r"(?:url )?handle|title|body \(html\)|description|vendor|product category|type|custom product type|tags"
    r"|published.*|status|option[123] (?:name|value|linked to)|variant .*|sku|barcode|price|price / .*|included / .*"
    r"|compare[- ]at price.*|cost per item|charge tax|tax code|inventory .*|continue selling when out of stock"
    r"|weight .*"
    r"|requires shipping|fulfillment service|unit price .*|image (?:src|position|alt text)|product image url|gift card"
    r"|seo (?:title|description)|google shopping / .*|.*\(product\.metafields\..*\)|collection"
)
_METAFIELD = re.compile(r"(.+?)\s*\(product\.metafields\.[^)]*\)")
_SOLD = frozenset({"", "active"})


def rows(file: RowFile, how: How) -> Iterator[Row]:
    """One row a product, on its first line; a bad line of it comes with its own number."""
    first_line: dict[str, int] = {}
    for handle, group in groupby(_lines(file), key=lambda row: row.values.get("handle")):
        lines = list(group)
        broken = [row for row in lines if row.problem is not None]
        if handle is None or broken:
            yield from broken or (Row(row.line, {}, "handle: it is missing") for row in lines)
        elif handle in first_line:
            yield Row(
                lines[0].line, {}, f"the rows of handle {handle} do not stand together: see line {first_line[handle]}"
            )
        else:
            first_line[handle] = lines[0].line
            yield from _product(handle, lines, how)


def _lines(file: RowFile) -> Iterator[Row]:
    for row in file.rows():
        yield Row(row.line, {_NEWER.get(name, name): cell for name, cell in row.values.items()}, row.problem)


def _product(handle: str, lines: Sequence[Row], how: How) -> Iterator[Row]:
    """The product, or each line's problems."""
    first = lines[0].values
    names = {n: first.get(f"option{n} name") for n in (1, 2, 3)}
    variants: list[dict[str, Any]] = []
    bad = False
    for row in lines:
        if not _is_variant(row.values):
            continue
        values, problems = _variant(row.values, names, handle)
        variants.append(values)
        if problems:
            bad = True
            yield Row(row.line, {}, "; ".join(problems))
    if "title" not in first:
        yield Row(lines[0].line, {}, f"title: it is missing in the first row of handle {handle}")
        bad = True
    if bad:
        return
    for variant, sku in zip(variants, once([variant["sku"] for variant in variants]), strict=True):
        variant["sku"] = sku
    yield Row(lines[0].line, how.fill(_values(handle, first, lines, variants, how)))


def _values(
    handle: str, first: dict[str, str], lines: Sequence[Row], variants: list[dict[str, Any]], how: How
) -> dict[str, Any]:
    kind = first.get("type") or first.get("custom product type") or first.get("product category", "").split(">")[-1]
    return {
        "product_id": handle,
        "title": first["title"],
        "description": text_of_html(first.get("body (html)", "")),
        "brand": short(first.get("vendor", "")) or None,
        "category": short(kind) or None,
        "url": how.link(f"products/{handle}"),
        "pictures": _pictures(lines),
        "attributes": _attributes(first),
        "variants": variants,
        "active": first.get("status", "").casefold() in _SOLD and first.get("published", "").casefold() != "false",
    }


def _is_variant(cells: dict[str, str]) -> bool:
    return any(cells.get(name) for name in ("variant sku", "variant price", "option1 value"))


def _variant(cells: dict[str, str], names: dict[int, str | None], handle: str) -> tuple[dict[str, Any], list[str]]:
    chosen = {names[n] or f"Option {n}": cells[f"option{n} value"] for n in names if cells.get(f"option{n} value")}
    if chosen == {"Title": "Default Title"}:
        chosen = {}
    problems: list[str] = []
    values: dict[str, Any] = {"title": short(" / ".join(chosen.values())), "picture": cells.get("variant image")}
    for name, column, read in (("price", "variant price", money), ("stock", "variant inventory qty", whole_number)):
        try:
            values[name] = read(cells[column]) if cells.get(column) else None
        except ValueError as problem:
            problems.append(f"{column}: {problem}")
    if not problems:
        values["stock"] = _stock(values["stock"], cells)
    values["attributes"] = {short(name): short(value) for name, value in chosen.items()}
    if cells.get("variant barcode"):
        values["attributes"]["Barcode"] = short(cells["variant barcode"])
    values["sku"] = short(cells.get("variant sku") or ":".join([handle, *chosen.values()]))
    return values, problems


def _stock(counted: int | None, cells: dict[str, str]) -> int | None:
    """None where nobody counts, or where more is sold than there is."""
    if counted is None or not cells.get("variant inventory tracker"):
        return None
    goes_on = cells.get("variant inventory policy", "").casefold() in ("continue", "true")
    return None if goes_on and counted <= 0 else max(0, counted)


def _pictures(lines: Sequence[Row]) -> list[str]:
    found: list[tuple[int, int, str]] = []
    for place, row in enumerate(lines):
        if row.values.get("image src"):
            position = row.values.get("image position", "")
            found.append((int(position) if position.isdecimal() else 10**6, place, row.values["image src"]))
    return list(dict.fromkeys(url for _, _, url in sorted(found)))


def _attributes(first: dict[str, str]) -> dict[str, str]:
    found = {match[1].capitalize(): cell for name, cell in first.items() if (match := _METAFIELD.fullmatch(name))}
    if first.get("tags"):
        found["Tags"] = first["tags"]
    return {short(name): short(value) for name, value in found.items()}
