"""Colour and size of products and variants in canonical names, and which variant a customer means."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from cs_bot.knowledge.attributes import attribute_key, canonical_colour, colours_in, sizes_in
from cs_bot.knowledge.words import fold
from cs_bot.records import Product, Variant

# Shops write the same few words on thousands of variants; a customer's words never go through these.
_colours, _sizes = lru_cache(maxsize=20_000)(colours_in), lru_cache(maxsize=20_000)(sizes_in)
_canonical, _key = lru_cache(maxsize=5_000)(canonical_colour), lru_cache(maxsize=5_000)(attribute_key)

SHORTEST_LITERAL = 2  # characters of a variant's own word that is looked for in the text


def wanted_in(text: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Colour and size that are asked for: those of `attributes` before those that the text names alone."""
    found: dict[str, str] = {}
    for name, read in (("colour", colours_in), ("size", sizes_in)):
        given = attributes.get(name)
        named = read(text)
        if given:
            found[name] = (canonical_colour(given) or given) if name == "colour" else given
        elif len(named) == 1:
            found[name] = named[0]
    return found


def variant_traits(variant: Variant) -> dict[str, frozenset[str]]:
    """Canonical colours and sizes of a variant, from its attributes, else from its title; unknown ones are left out."""
    found: dict[str, frozenset[str]] = {}
    for name, value in variant.attributes.items():
        key = _key(name)
        if key == "colour" and _colours(value):
            found["colour"] = frozenset(_colours(value))
        elif key == "colour" and _canonical(value):
            found["colour"] = frozenset({_canonical(value) or ""})
        elif key == "size":
            found["size"] = frozenset(_sizes(value) or (value.strip().upper(),))
    for name, read in (("colour", _colours), ("size", _sizes)):
        if name not in found and (named := read(variant.title)):
            found[name] = frozenset(named)
    return found


def product_traits(product: Product) -> dict[str, frozenset[str]]:
    """All colours and sizes in which a product is known to come."""
    found: dict[str, set[str]] = {}
    for variant in product.variants:
        for name, values in variant_traits(variant).items():
            found.setdefault(name, set()).update(values)
    for name, value in product.attributes.items():
        key = _key(name)
        if key == "colour":
            found.setdefault("colour", set()).update(_colours(value))
        elif key == "size":
            found.setdefault("size", set()).update(_sizes(value) or (value.strip().upper(),))
    if not found.get("colour") and (named := _colours(product.title)):
        found["colour"] = set(named)
    return {name: frozenset(values) for name, values in found.items() if values}


def variant_meant(
    product: Product, wanted: Mapping[str, str], text: str = "", among: Sequence[str] = ()
) -> Variant | None:
    """The one variant that fits; None when several do, or none.

    `wanted`: canonical colour and size. A variant's own words in the text ("雾霾蓝", "500ml") go before the canonical
    colour, which several may share. `among`: SKUs that a picture leaves; () = any.
    """
    left = [variant for variant in product.variants if not among or variant.sku in among]
    said = fold(text)
    for name in dict.fromkeys(name for variant in left for name in variant.attributes):
        literal = _literally(left, name, said)
        key = _key(name)
        if literal:
            left = literal
        elif key is not None and key in wanted:
            left = [variant for variant in left if wanted[key] in variant_traits(variant).get(key, frozenset())]
    for key, value in wanted.items():
        left = [variant for variant in left if value in variant_traits(variant).get(key, frozenset({value}))]
    return left[0] if len(left) == 1 else None


def _literally(variants: Sequence[Variant], name: str, said: str) -> list[Variant]:
    """Those whose value of an attribute stands in the text, the longest value where one is part of another."""
    values = {fold(variant.attributes.get(name, "")).strip() for variant in variants}
    stated = [value for value in values if len(value) >= SHORTEST_LITERAL and value in said]
    longest = [value for value in stated if not any(value != other and value in other for other in stated)]
    return [v for v in variants if fold(v.attributes.get(name, "")).strip() in longest]
