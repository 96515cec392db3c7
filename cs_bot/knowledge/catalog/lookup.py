"""What a turn means, thing by thing: clear, close or none. Every threshold of the catalog lives here."""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

from cs_bot.knowledge.catalog import traits
from cs_bot.knowledge.catalog.query import codes_in
from cs_bot.records import Item, Kind, Likeness, Look, LookupOutcome, ProductHit, ProductLookup, Reading
from cs_bot.store.queries.products import product_code

HITS = 3  # shown to a customer at most
THINGS = 6  # looked up in one turn at most
# By words. tests/data/catalog_queries.tsv: of what is called clear nothing may be wrong.
CLEAR_WORDS = 0.72  # so much of what was said must fit
CLEAR_WORDS_MARGIN = 0.12  # ... and the next product so much less
CLOSE_WORDS = 0.46  # below, the words name nothing that the shop has
CLOSE_RANGE = 0.30  # a product so far below the best one is no candidate for "is it this one?"
# By picture. knowledge/likeness: a "same" with that margin is one that may be stated (is_clear there).
CLEAR_PICTURE_MARGIN = 0.05
CLOSE_PICTURE = 0.12  # something that is merely similar must be that alike
# By code.
CLOSE_CODE = 0.6  # so much of a code must have been written
SHOWS_GOODS = frozenset({Kind.PRODUCT, Kind.COMPARISON, Kind.SCENE})
_BETWEEN = re.compile(r"还是|和|跟|与|或者?|、|\bor\b|\band\b|\bvs\.?|\bversus\b|比|と|랑|하고", re.IGNORECASE)
_SIDES = {
    "left": (0.0, 0.0, 0.5, 1.0),
    "right": (0.5, 0.0, 1.0, 1.0),
    "top": (0.0, 0.0, 1.0, 0.5),
    "bottom": (0.0, 0.5, 1.0, 1.0),
}

Box = tuple[int, int, int, int]
ByWords = Callable[[str, Mapping[str, str]], Sequence[ProductHit]]
ByPicture = Callable[[str, "Thing"], "Sequence[Shown]"]  # the picture by its SHA-256


@dataclass(frozen=True)
class Shown:
    """A product that a picture shows; `skus` are the variants whose own picture it surely is, () when unsettled."""

    hit: ProductHit
    skus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Thing:
    """One thing that is meant: on picture `number` (from 1) at `where`, or named in words (`number` None)."""

    number: int | None = None
    look: Look | None = None
    item: Item = field(default_factory=Item)

    @property
    def is_part(self) -> bool:
        """Whether it is only a part of its picture."""
        return self.item.where != "whole"

    def box(self, width: int, height: int) -> Box | None:
        """Where it is on the picture, pixels; None: all of it, or not known."""
        if self.item.box is not None:
            return self.item.box
        share = _SIDES.get(self.item.where)
        if share is None:
            return None
        left, top, right, bottom = share
        return round(left * width), round(top * height), round(right * width), round(bottom * height)


def things(reading: Reading) -> list[Thing]:
    """What the turn's pictures show for sale; one thing without a picture when they show nothing."""
    found: list[Thing] = []
    for place, look in enumerate(reading.looks):
        number = reading.numbers[place] if place < len(reading.numbers) else place + 1
        if look.kind in SHOWS_GOODS:
            found += [Thing(number, look, item) for item in look.items or (Item(),)]
    return found[:THINGS] or [Thing()]


def look_up(
    reading: Reading, by_words: ByWords, by_picture: ByPicture, pictures: Mapping[str, bytes]
) -> list[ProductLookup]:
    """One lookup for each thing that is meant; [] when nothing says that a product is.

    `pictures`: the SHA-256 of those that by_picture can be asked for.
    """
    meant = things(reading)
    if meant == [Thing()]:
        return _worded(reading, by_words)
    alone = len(meant) == 1
    return [_pictured(thing, reading, by_words, by_picture, pictures, alone=alone) for thing in meant]


def _worded(reading: Reading, by_words: ByWords) -> list[ProductLookup]:
    """Without pictures: each code that was written, else the words together."""
    hits = by_words(reading.question, reading.wanted)
    exact = [hit for hit in hits if _is_exact(hit)]
    if len(exact) > 1 and _named_apart(reading.question, exact):
        return [ProductLookup(outcome=LookupOutcome.CLEAR, hits=(with_variant(hit, reading),)) for hit in exact]
    apart = _compared(reading, by_words) if "compare" in reading.aspects else []
    if apart:
        return apart
    outcome = of_words(hits)
    if outcome is LookupOutcome.NONE and not reading.aspects and reading.kind not in SHOWS_GOODS:
        return []
    return [_lookup(Thing(), outcome, hits, reading)]


def _compared(reading: Reading, by_words: ByWords) -> list[ProductLookup]:
    """Each of the things that the words hold against each other ("A and B, which one?"); [] unless all are found."""
    parts = [part for part in _BETWEEN.split(reading.question) if part.strip()]
    found = []
    for part in parts[:THINGS]:
        hits = by_words(part, {})
        outcome = of_words(hits)
        if outcome is LookupOutcome.NONE:
            return []
        found.append(_lookup(Thing(), outcome, hits, reading.model_copy(update={"question": part, "wanted": {}})))
    return found if len({one.hits[0].product.product_id for one in found}) == len(found) > 1 else []


def _named_apart(text: str, exact: Sequence[ProductHit]) -> bool:
    """Whether the text has a code for each: two products that share one code are not two things."""
    return len(codes_in(text)) >= len(exact)


def _pictured(
    thing: Thing,
    reading: Reading,
    by_words: ByWords,
    by_picture: ByPicture,
    pictures: Container[str],
    *,
    alone: bool,
) -> ProductLookup:
    """A thing on a picture. What was written counts for it only when it is the only one."""
    assert thing.look is not None
    sha256 = thing.look.picture_sha256
    shown = by_picture(sha256, thing) if sha256 in pictures else ()
    seen, skus = [one.hit for one in shown], {one.hit.product.product_id: one.skus for one in shown}
    words = list(by_words(reading.question if alone else "", {**thing.item.attributes, **reading.wanted}))
    typed = [
        hit for hit in words if hit.likeness is Likeness.CODE and hit.score == 1.0 and alone and _typed(hit, reading)
    ]
    outcome = of_picture(seen)
    if outcome is LookupOutcome.CLEAR and _other_label(thing, seen[0]):
        outcome = LookupOutcome.CLOSE
    if typed and (not seen or seen[0].product.product_id == typed[0].product.product_id):
        return _lookup(thing, LookupOutcome.CLEAR if len(typed) == 1 else LookupOutcome.CLOSE, typed, reading, skus)
    if typed:  # written is one, shown another: ask
        return _lookup(
            thing, LookupOutcome.CLOSE, [*typed, *(seen[:1] if outcome is LookupOutcome.CLEAR else seen)], reading, skus
        )
    if outcome is not LookupOutcome.NONE:
        return _lookup(thing, outcome, seen, reading, skus)
    by_name = of_words(words)
    return _lookup(thing, LookupOutcome.NONE if by_name is LookupOutcome.NONE else LookupOutcome.CLOSE, words, reading)


def _other_label(thing: Thing, hit: ProductHit) -> bool:
    """Whether a code is printed there that the record does not know: pictures of two models may differ in it alone."""
    printed = product_code(thing.item.attributes.get("code", ""))
    said = product_code(" ".join((hit.product.title, *hit.product.attributes.values())))
    return bool(printed) and printed not in _codes_of(hit) and printed not in said


def _is_exact(hit: ProductHit) -> bool:
    return hit.likeness is Likeness.CODE and hit.score == 1.0


def _typed(hit: ProductHit, reading: Reading) -> bool:
    """Whether the customer wrote the code; one that was read from the picture may have a wrong digit."""
    codes = codes_in(reading.question)
    return any(code in codes for code in _codes_of(hit))


def _codes_of(hit: ProductHit) -> tuple[str, ...]:
    return tuple(map(product_code, (hit.product.product_id, *(variant.sku for variant in hit.product.variants))))


def of_words(hits: Sequence[ProductHit]) -> LookupOutcome:
    """How a search by words and codes came out."""
    if not hits:
        return LookupOutcome.NONE
    best = hits[0]
    if best.likeness is Likeness.CODE:
        if best.score == 1.0 and best.margin > 0:
            return LookupOutcome.CLEAR
        return LookupOutcome.CLOSE if best.score >= CLOSE_CODE else LookupOutcome.NONE
    if best.score >= CLEAR_WORDS and best.margin >= CLEAR_WORDS_MARGIN:
        return LookupOutcome.CLEAR
    return LookupOutcome.CLOSE if best.score >= CLOSE_WORDS else LookupOutcome.NONE


def of_picture(hits: Sequence[ProductHit]) -> LookupOutcome:
    """How a search by picture came out. Another colour, or something similar, is never clear."""
    if not hits:
        return LookupOutcome.NONE
    best = hits[0]
    if best.likeness is Likeness.SAME_PICTURE:
        return LookupOutcome.CLEAR if best.margin >= CLEAR_PICTURE_MARGIN else LookupOutcome.CLOSE
    return LookupOutcome.CLOSE if best.score >= CLOSE_PICTURE else LookupOutcome.NONE


def _lookup(
    thing: Thing,
    outcome: LookupOutcome,
    hits: Sequence[ProductHit],
    reading: Reading,
    skus: Mapping[str, tuple[str, ...]] | None = None,
) -> ProductLookup:
    kept = list(hits[:1] if outcome is LookupOutcome.CLEAR else hits[:HITS])
    if outcome is LookupOutcome.CLOSE:
        kept = [hit for hit in kept if hit.likeness is not Likeness.WORDS or hit.score >= kept[0].score - CLOSE_RANGE]
    return ProductLookup(
        number=thing.number,
        where=thing.item.where,
        outcome=outcome,
        hits=tuple(with_variant(hit, reading, (skus or {}).get(hit.product.product_id, ())) for hit in kept),
    )


def with_variant(hit: ProductHit, reading: Reading, shown: Sequence[str] = ()) -> ProductHit:
    """The hit with the one variant that is meant: as written, else as asked for, else as the picture shows it.

    `shown`: the variants that the picture leaves. A picture of the black one and "in red?" mean the red one.
    """
    if hit.likeness is Likeness.CODE and hit.sku is not None:
        return hit
    wanted = traits.wanted_in(reading.question, reading.wanted)
    found = traits.variant_meant(hit.product, wanted, reading.question, among=shown) if shown else None
    found = found or traits.variant_meant(hit.product, wanted, reading.question)
    return hit.model_copy(update={"sku": None if found is None else found.sku})
