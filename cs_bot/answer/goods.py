"""What the catalog's records say of the things that are meant: sentences for slots, and the reply around them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

from cs_bot.answer.templates import Phrases
from cs_bot.answer.values import MAX_NAME, money
from cs_bot.claims import clean_value
from cs_bot.errors import DraftRefused
from cs_bot.knowledge.attributes import attribute_key
from cs_bot.knowledge.catalog.traits import product_traits
from cs_bot.records import Facts, Kind, LookupOutcome, Product, ProductHit, ProductLookup, Reading, Variant

MAX_TITLE = 120
MAX_LINK = 500
MAX_OPTIONS = 8  # a longer list is no answer
GENERAL = ("price", "stock", "link")  # told when nothing in particular is asked
COMPARED = ("price", "material", "size")
_TOLD = {  # aspect: its sentence
    "price": "price_line",
    "stock": "stock",
    "colour": "colour_line",
    "size": "size_line",
    "material": "material_line",
}


@dataclass
class Goods:
    """A reply about products: `lines` with slots, and every value that they or an engine's words may use.

    `notes` say in words which slot is which thing, for an engine.
    """

    lines: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def for_engines(self) -> dict[str, str]:
        """The values without the sentences that only templates need."""
        return {name: value for name, value in self.values.items() if not name.endswith(("_line", ".is"))}


def about_goods(reading: Reading, facts: Facts, words: Phrases) -> Goods:
    """What can be said of each thing, in order. Raises DraftRefused when a record's value is too long to be true."""
    goods = Goods()
    pictures = max(len(reading.looks), len({lookup.number for lookup in facts.products}))
    for lookup in facts.products:
        where = _where(lookup, words, several=pictures > 1)
        if lookup.outcome is LookupOutcome.CLEAR and lookup.hits:
            _one(goods, lookup.hits[0], where, reading, words)
        elif lookup.outcome is LookupOutcome.CLOSE and lookup.hits:
            _cards(goods, lookup.hits, where, words, ask=True)
        elif lookup.outcome is LookupOutcome.NONE and not lookup.stale:
            _unknown(goods, lookup, where, words)
    return goods


def _one(goods: Goods, hit: ProductHit, where: str, reading: Reading, words: Phrases) -> None:
    name, product = _next(goods), hit.product
    variant = _variant(product, hit.sku)
    lacking = _lacking(product, variant, reading)
    title = _title(product, variant)
    says = words.goods["this_is"] if where else words.goods["is"]
    found = {
        "name": title,
        "is": says.format(where=where, title=title),
        "price": "" if lacking else _amount(product, variant, words),
        "price_line": "" if lacking else _price(product, variant, words),
        "stock": "" if lacking else _stock(product, variant, words),
        "link": link(product),
        "link_line": words.goods["link"].format(link=link(product)) if link(product) else "",
        "where": where,
    }
    for key in ("colour", "size", "material"):
        found[key] = _options(product, key, words)
        found[f"{key}_line"] = words.goods[key].format(options=found[key]) if found[key] else ""
    goods.values |= {f"{name}.{key}": value for key, value in found.items() if value}
    asked = (*_asked(reading), *lacking)
    told = ["is", *(slot for aspect, slot in _TOLD.items() if aspect in asked and found[slot])]
    if not lacking and _must_choose(product, variant, reading):
        goods.values[f"{name}.which"] = words.goods["which_variant"].format(options=_variants(product, words))
        told.append("which")
    goods.lines.append(words.goods["join"].join(f"{{{name}.{key}}}" for key in told))
    if "link" in asked and found["link"]:
        goods.lines.append(f"{{{name}.link_line}}")  # alone: no sign may run into an address
    goods.notes.append(f"{name} is the product in {where}" if where else f"{name} is the product that is meant")


def _cards(goods: Goods, hits: Iterable[ProductHit], where: str, words: Phrases, *, ask: bool) -> None:
    """Two or three products to choose from, a line each."""
    if ask:
        goods.lines.append(words.pieces["which_product"])
    if ask and where:
        name = _next(goods)
        goods.values[f"{name}.where"] = words.goods["of"].format(where=where)
        goods.lines[-1] = f"{{{name}.where}}{goods.lines[-1]}"
    for hit in hits:
        name = _next(goods)
        parts = [_title(hit.product, None), _amount(hit.product, None, words), link(hit.product)]
        goods.values[f"{name}.card"] = words.goods["between"].join(part for part in parts if part)
        goods.lines.append(f"- {{{name}.card}}")
        goods.notes.append(f"{name} may be the product in {where}" if where else f"{name} may be the product meant")


def _unknown(goods: Goods, lookup: ProductLookup, where: str, words: Phrases) -> None:
    name = _next(goods)
    says = words.goods["not_found_at"] if where else words.goods["not_found"]
    goods.values[f"{name}.none"] = says.format(where=where)
    goods.lines.append(f"{{{name}.none}}")
    goods.notes.append(f"{name}: the shop does not seem to have it")
    if lookup.hits:
        goods.lines[-1] += words.goods["join"] + words.pieces["nearest"]
        _cards(goods, lookup.hits, where, words, ask=False)


def _next(goods: Goods) -> str:
    taken = {slot.split(".")[0] for slot in goods.values}
    return f"p{len(taken) + 1}"


def _where(lookup: ProductLookup, words: Phrases, *, several: bool) -> str:
    """ "Picture 2, left": which thing of several is meant; empty when there is only one."""
    side = words.goods.get(f"at_{lookup.where}", "")
    if lookup.number is None or not several:
        return side
    picture = words.goods["picture"].format(number=lookup.number)
    return words.goods["picture_side"].format(picture=picture, side=side.lower()) if side else picture


def _asked(reading: Reading) -> tuple[str, ...]:
    if reading.kind is Kind.COMPARISON or "compare" in reading.aspects:
        return (*COMPARED, *reading.aspects)
    particular = tuple(aspect for aspect in reading.aspects if aspect in (*_TOLD, "link"))
    return particular or GENERAL


def _must_choose(product: Product, variant: Variant | None, reading: Reading) -> bool:
    """Whether what is asked hangs on a variant that was not said."""
    if variant is not None or not 1 < len(product.variants) <= MAX_OPTIONS:
        return False
    stocked = {one.stock is None or one.stock > 0 for one in product.variants}
    asked = _asked(reading)
    return ("price" in asked and _price_hangs_on(product, variant)) or ("stock" in asked and len(stocked) > 1)


def _variant(product: Product, sku: str | None) -> Variant | None:
    """The variant of an SKU; None where the record has that SKU twice: which price is meant nobody can say."""
    found = [one for one in product.variants if one.sku == sku]
    return found[0] if len(found) == 1 else None


def _lacking(product: Product, variant: Variant | None, reading: Reading) -> list[str]:
    """Colour or size that is asked for and that the record, which lists some, does not list: what it says of price
    and stock is then about others."""
    known = {} if variant is not None else product_traits(product)
    return [name for name, value in reading.wanted.items() if known.get(name) and value not in known[name]]


def _title(product: Product, variant: Variant | None) -> str:
    title = clean_value(product.title, max_chars=MAX_TITLE)
    if not title:
        raise DraftRefused("a product's title has no character that can be shown")
    extra = clean_value(variant.title, max_chars=MAX_NAME) if variant is not None else ""
    return f"{title} ({extra})" if extra and extra not in title else title


def link(product: Product) -> str:
    """The product's page; empty for anything but a plain http(s) address: nothing else is ever stated as a link."""
    text = clean_value(product.url or "", max_chars=MAX_LINK)
    try:
        parts = urlsplit(text)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    return text if plain and not any(char.isspace() or char in "<>\"'\\`" for char in text) else ""


def _prices(product: Product, variant: Variant | None) -> list[Decimal]:
    """The lowest and the highest price of what is meant; one entry when they are the same."""
    meant = [variant] if variant is not None else list(product.variants)
    each = [product.price if one.price is None else one.price for one in meant] or [product.price]
    found = {price for price in each if price}
    return sorted({min(found), max(found)}) if found else []


def _price_hangs_on(product: Product, variant: Variant | None) -> bool:
    """Whether variants differ in price, or one has none that is known; a price of nothing is no price."""
    if variant is not None:
        return False
    prices = {product.price if one.price is None else one.price for one in product.variants}
    return len(prices) > 1


def _amount(product: Product, variant: Variant | None, words: Phrases) -> str:
    return words.goods["to"].join(money(price, product.currency, words) for price in _prices(product, variant))


def _price(product: Product, variant: Variant | None, words: Phrases) -> str:
    amount = _amount(product, variant, words)
    if not amount:
        return ""
    return words.goods["prices" if _price_hangs_on(product, variant) else "price"].format(amount=amount)


def _stock(product: Product, variant: Variant | None, words: Phrases) -> str:
    """Whether it can be had now; empty when the record does not say."""
    if variant is not None:
        return _there(variant.stock, words)
    known = [one for one in product.variants if one.stock is not None]
    if not known:
        return _there(product.stock, words)
    left = [one for one in known if one.stock]
    if not left and len(known) < len(product.variants):
        return ""  # those that nobody counts may be there
    if not left or len(left) == len(known):
        return _there(len(left), words)
    return words.goods["in_stock_are"].format(options=_listed((_named(one) for one in left), words))


def _there(stock: int | None, words: Phrases) -> str:
    return "" if stock is None else words.goods["in_stock" if stock > 0 else "sold_out"]


def _named(variant: Variant) -> str:
    return clean_value(variant.title or " ".join(variant.attributes.values()) or variant.sku, max_chars=MAX_NAME)


def _variants(product: Product, words: Phrases) -> str:
    return _listed((_named(one) for one in product.variants), words)


def _options(product: Product, key: str, words: Phrases) -> str:
    """The colours, sizes or materials that the record lists: its variants', else its own."""
    values = [value for one in product.variants for value in _values(one.attributes, key)]
    return _listed(values or _values(product.attributes, key), words)


def _values(attributes: Mapping[str, str], key: str) -> list[str]:
    return [clean_value(value, max_chars=MAX_NAME) for name, value in attributes.items() if attribute_key(name) == key]


def _listed(values: Iterable[str], words: Phrases) -> str:
    """The values once each. Raises DraftRefused when they are too many to be told."""
    once = [value for value in dict.fromkeys(values) if value]
    if len(once) > 3 * MAX_OPTIONS:
        raise DraftRefused("more options than a reply can hold")
    return words.goods["and"].join(once)
