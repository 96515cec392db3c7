"""Reads what a customer's words ask of a product: its aspects, the colour and size wanted, and what they point at."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import Field

from cs_bot.claims.fold import fold_words
from cs_bot.claims.lexicon import fold_pattern
from cs_bot.knowledge.attributes import colour_words, colours_in, sizes_in
from cs_bot.knowledge.intents import MAX_READ, asks, clause_intents, clauses, is_conditional, is_question
from cs_bot.knowledge.order_numbers import without_order_ids
from cs_bot.records import ASPECTS, Record

# Clauses with one of these intents ask nothing of a product, whatever words they share with such questions.
_VETOES = frozenset({"complaint", "refund", "cancel", "change", "address", "invoice", "order_amount", "faq"})
_WEAK_VETOES = frozenset({"tracking", "arrive_when", "ship_when", "order_number"})  # ... unless it asks both
_SPECIFIC = frozenset({"stock", "colour", "size", "material", "fit", "compare", "advice"})  # these say more than exists
_LANGUAGES = ("zh", "en", "ja", "ko")
_LEFT_OVER = re.compile(r"[\u3400-\u9fff]|[a-z]{3}|[\u3040-\u30ff]{2}|[\uac00-\ud7a3]{2}")  # may name a thing
_CHOICE = re.compile(r"还是|哪|选|(?<![a-z])(?:or|which|better)(?![a-z])|どちら|どっち|중|이랑|랑")


class ProductWords(Record):
    """What words ask of a product.

    `aspects` of records.ASPECTS. `wanted`: the one colour and the one size asked for, in canonical names of attributes.
    `place`, `trouble`: the words speak of a room or an outfit, of a device in use; `open`: something is asked that no
    list knows. `only`: all that is asked is asked
    of a product and fits together, so that one reply can answer it. `points`: the words name no thing of their own,
    they are about something shown before ("is it in stock?").
    """

    aspects: tuple[str, ...] = ()
    wanted: dict[str, str] = Field(default_factory=dict)
    place: bool = False
    trouble: bool = False
    open: bool = False
    only: bool = False
    points: bool = False


@dataclass(frozen=True)
class _Clause:
    text: str
    vetoed: bool = False
    aspects: frozenset[str] = frozenset()
    colours: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    rules_out: bool = False  # a colour or size is named only to leave it out

    @property
    def names(self) -> set[str]:
        """The aspects of which the clause names a value."""
        named = {"colour": self.colours or self.rules_out, "size": self.sizes}
        return {name for name, values in named.items() if values}


def read_product_words(text: str) -> ProductWords:
    """Read the words of a turn; pure. Of a text longer than MAX_READ characters only the start is read."""
    shown = without_order_ids(text[:MAX_READ])
    folded = fold_words(shown)
    sizes = frozenset(sizes_in(shown))
    found = [_clause(clause, sizes) for clause in clauses(folded)]
    aspects = _aspects([one for one in found if not one.vetoed], folded)
    fits = len(text) <= MAX_READ and not is_conditional(folded) and _fit_together(found)
    return ProductWords(
        aspects=tuple(name for name in ASPECTS if name in aspects),
        wanted=_wanted(found) if aspects else {},
        place=bool(_pattern("place").search(folded)),
        trouble=bool(_pattern("trouble").search(folded)),
        open=any(_is_open(one) for one in found),
        only=bool(aspects) and fits,
        points=_points(folded, aspects),
    )


def _clause(text: str, sizes: frozenset[str]) -> _Clause:
    """`sizes` are those of the whole text as it was written: a single letter counts only as a capital."""
    intents = clause_intents(text)
    vetoes = intents & (_VETOES if "product" in intents else _VETOES | _WEAK_VETOES)
    if (vetoes and not _pattern("lifts").search(text)) or _pattern("wish").search(text):
        return _Clause(text, vetoed=True)
    ruled_out = _ruled_out(text)
    colours = () if _pattern("trouble").search(text) else colours_in(text)  # "it blinks red" wants nothing red
    return _Clause(
        text,
        aspects=_clause_aspects(text),
        colours=tuple(colour for colour in colours if colour not in ruled_out),
        sizes=tuple(size for size in sizes_in(text.upper()) if size in sizes and size not in ruled_out),
        rules_out=bool(ruled_out),
    )


def _is_open(one: _Clause) -> bool:
    """Whether a clause asks something of which no list knows what it is about ("what is this" asks nothing yet)."""
    known = one.vetoed or one.aspects or one.names or clause_intents(one.text)
    return not known and is_question(one.text) and not _pattern("what").search(one.text)


def _clause_aspects(text: str) -> frozenset[str]:
    found = {name for name in ASPECTS if _pattern(name).search(text)}
    if _pattern("available").search(text) and not found & {"colour", "size"}:
        found.add("stock")
    if {"size", "fit"} <= found:
        found -= {"advice"}  # "which size do you recommend for 165 cm"
    if _pattern("discount").search(text):
        found -= {"exists"}
    return frozenset(found - {"exists"} if found & _SPECIFIC else found)


def _ruled_out(text: str) -> frozenset[str]:
    windows = [match["what"] for match in _pattern("rules_out").finditer(text)]
    windows += [match["what"] for match in _pattern("rules_out_before").finditer(text)]
    found: set[str] = set()
    for window in windows:
        found |= {*colours_in(window)[:1], *sizes_in(window.upper())[:1], *re.findall(r"^\s*(\d{1,3}(?:\.5)?)", window)}
    return frozenset(found)


def _aspects(told: Sequence[_Clause], folded: str) -> set[str]:
    alone = not any(one.aspects - {"exists"} for one in told)
    found = {name for one in told for name in _asked(one, alone)}
    if len({colour for one in told for colour in one.colours}) > 1 and _CHOICE.search(folded):
        found = (found - {"compare"}) | {"advice", "colour"}  # between the colours of one thing
    return found


def _asked(one: _Clause, alone: bool) -> set[str]:
    """A clause's aspects; a colour or size that it names is asked for where it asks nothing else."""
    asks_for_it = "exists" in one.aspects or alone or asks(one.text)
    if one.names and asks_for_it and not one.aspects - {"exists"}:
        return one.names
    return {*one.aspects, *(("size",) if one.sizes and "fit" in one.aspects else ())}


def _wanted(found: Sequence[_Clause]) -> dict[str, str]:
    told = [one for one in found if not one.vetoed]
    colours = {colour for one in told for colour in one.colours}
    sizes = {size for one in told for size in one.sizes}
    return {name: next(iter(seen)) for name, seen in (("colour", colours), ("size", sizes)) if len(seen) == 1}


def _fit_together(found: Sequence[_Clause]) -> bool:
    """Whether no clause asks another thing, and none asks of another variant than the one before."""
    for one in found:
        known = one.aspects or one.names
        if one.vetoed or (is_question(one.text) and not known):
            return False
        if clause_intents(one.text) - {"product", "order_status"} and not _pattern("lifts").search(one.text):
            return False
    return all(len({values for values in named if values}) <= 1 for named in _variants(found))


def _variants(found: Sequence[_Clause]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    return [one.colours for one in found], [one.sizes for one in found]


def _points(folded: str, aspects: set[str]) -> bool:
    """Whether the words need something shown before: they point at it, or are nothing but words of the lists.

    "Dress" and the like name a thing only where its existence is asked; "does an iPad fit" names what goes with it.
    """
    if _pattern("points").search(folded) or aspects & {"fit", "compare"}:
        return True
    rest = folded
    for name in (*ASPECTS, "available", "filling", *(["goods"] if aspects != {"exists"} else [])):
        rest = _pattern(name).sub(" ", rest)
    rest = colour_words().sub(" ", rest)
    rest = re.sub(r"[a-z]?[0-9]+(?:\.[0-9]+)?[a-z]{0,3}|(?<![a-z])x*[sml](?![a-z])", " ", rest)
    return _LEFT_OVER.search(rest) is None


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("cs_bot.knowledge").joinpath("product_words.toml").read_text("utf-8"))


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """One pattern for the words of all languages; English words stand alone."""
    parts = []
    for language in _LANGUAGES:
        words = [fold_pattern(word) for word in _data()[name].get(language, ())]
        words.sort(key=len, reverse=name in ("filling", "goods"))
        if words:
            joined = "|".join(words)
            parts.append(rf"(?<![a-z0-9])(?:{joined})(?![a-z0-9])" if language == "en" else joined)
    return re.compile("|".join(parts))
