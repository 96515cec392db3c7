"""A question as what it asks of the catalog: codes, words and how much each counts; and how well a product fits."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cs_bot.knowledge.attributes import colours_in, sizes_in
from cs_bot.knowledge.catalog.columns import plain
from cs_bot.knowledge.catalog.spelling import Vocabulary
from cs_bot.knowledge.catalog.talk import without_talk
from cs_bot.knowledge.words import Term, fold, grams, terms
from cs_bot.store.queries.products import product_code

# How much a match counts: in the title, in brand and category, in attributes and variants.
FIELDS = (1.0, 0.95, 0.85)
CHARACTER = 0.22  # of a pair of characters that a product lacks, each one that it has
ERRORS = (1.0, 0.8, 0.65)  # a word with none, one, two typing errors
UNKNOWN = 0.5  # weight of a pair of characters that no product has: often the end of one word and the start of another
UNSURE = 0.7  # highest score of numbers alone, and while a Latin word or the question's end is not in it as written
TITLE_SHARE = 0.12  # of the score: how much of the title was said; decides between products that fit the words alike

_CODE = re.compile(r"[A-Za-z0-9]+(?:[-_./#][A-Za-z0-9]+)*")
LEAST_DIGITS = 5  # of a code without letters: shorter ones are sizes, prices and counts
PARTS = 4  # of a code that was written with blanks in it
LEAST_MIXED = 4  # characters of a code with letters and digits
_CAPACITY = re.compile(r"\d+(?:ml|l|kg|g|gb|tb|mm|cm|m|w|v|a|mah|oz|inch|in|hz|k|寸|xl|px|pcs|pc|s)", re.IGNORECASE)
_NO_NAME = re.compile(r"\d{1,2}|[a-z]")  # "1" and "2." choose from what was shown, "S" is a size
_NUMBER = re.compile(r"\d+[a-z]{0,3}")  # "501", "8m": may be a name, but is not surely one
_PIECES = re.compile(r"[a-z]+|\d+")


@dataclass(frozen=True)
class Unit:
    """One thing asked for. `forms` are (gram, prefix, credit): the first characters of grams where prefix is set.

    `must`: a product without it is not surely the one that is meant (a phone case is no phone).
    """

    forms: tuple[tuple[str, bool, float], ...]
    characters: tuple[str, ...] = ()  # of a pair of unspaced characters
    must: bool = False


def codes_in(text: str) -> tuple[str, ...]:
    """What may be a code in a text, in the form of product_code, longest first."""
    found: dict[str, None] = {}
    tokens = [match[0] for match in _CODE.finditer(fold(text))]
    runs = ["".join(tokens[at : at + length]) for length in range(2, PARTS + 1) for at in range(len(tokens))]
    for token in (*tokens, *runs):
        code = product_code(token)
        digits = sum(c.isdigit() for c in code)
        mixed = 0 < digits < len(code) and len(code) >= LEAST_MIXED and not _CAPACITY.fullmatch(code)
        handle = not digits and "-" in token
        if mixed or handle or (digits == len(code) >= LEAST_DIGITS):
            found[code] = None
    return tuple(sorted(found, key=lambda code: (-len(code), code)))


def units_of(text: str, vocabulary: Vocabulary | None = None) -> tuple[Unit, ...]:
    """What a text asks for, without the talk around it. Colours and sizes count as traits, not as words here."""
    bare = plain(without_talk(text))
    found, head = terms(bare), _head(bare)
    worded = [term for term in found if not _is_trait(term)] or list(found)
    latin = [term.text for term in worded if _is_latin(term.text)]
    joined = {word: a + b for a, b in pairwise(latin) for word in (a, b)}
    return tuple(_unit(term, joined.get(term.text), vocabulary, must=term.text == head) for term in worded)


def name_nothing(units: Sequence[Unit]) -> bool:
    """Whether a question is nothing but a short number or a letter: no product is meant by it, whatever has it."""
    return all(_NO_NAME.fullmatch(unit.forms[0][0]) for unit in units)


def _head(text: str) -> str | None:
    """The last pair of unspaced characters: in Chinese what a thing is stands at the end (瑜伽垫, 瑜伽球)."""
    tokens = grams(text).split()
    for pair, tail in reversed(list(pairwise(tokens))):
        if len(pair) == 2 and len(tail) == 1 and pair.endswith(tail) and not _is_latin(pair) and not colours_in(pair):
            return pair
    return None


def _is_trait(term: Term) -> bool:
    return bool(colours_in(term.text) or (not term.text.isalpha() and sizes_in(term.text)))


def _is_latin(text: str) -> bool:
    return text.isascii()


def _unit(term: Term, joined: str | None, vocabulary: Vocabulary | None, *, must: bool) -> Unit:
    if not _is_latin(term.text):
        characters = tuple(term.text) if len(term.text) == 2 else ()
        return Unit(((term.text, term.prefix, 1.0),), characters, must=must)
    forms = [(term.text, term.prefix, 1.0)]
    if joined:
        forms.append((joined, False, 1.0))
    pieces = _PIECES.findall(term.text)
    if len(pieces) > 1:
        forms += [(piece, False, 0.5) for piece in pieces if len(piece) > 1]
    if vocabulary is not None:
        forms += [(word, False, ERRORS[errors]) for word, errors in vocabulary.meant(term.text) if errors]
    return Unit(tuple(forms), must=True)


def search_terms(units: Sequence[Unit], *, loosely: bool) -> list[tuple[str, bool]]:
    """What the index is asked for; `loosely`: single characters too."""
    found = {(gram, prefix): None for unit in units for gram, prefix, _ in unit.forms}
    if loosely:
        found |= {(character, True): None for unit in units for character in unit.characters}
    return list(found)


@dataclass
class Lines:
    """A candidate's search column, line by line; `characters` are those of its unspaced words."""

    grams: tuple[frozenset[str], ...]
    characters: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, column: str) -> "Lines":
        """From the stored column."""
        lines = tuple(frozenset(line.split()) for line in column.split("\n"))
        return cls(lines, frozenset(gram[0] for line in lines for gram in line if not gram.isascii()))


class Scorer:
    """Scores candidates in 0..1. Every product with a gram of the question is among them: frequencies are exact."""

    def __init__(self, units: Sequence[Unit], found: Mapping[str, Lines], total: int) -> None:
        self.units = units
        self._named = not all(_NUMBER.fullmatch(unit.forms[0][0]) for unit in units)
        frequency = Counter(gram for lines in found.values() for gram in frozenset().union(*lines.grams))
        self._idf = {gram: math.log(1 + (total + 1) / (n + 0.5)) for gram, n in frequency.items()}
        self._unknown = math.log(1 + (total + 1) / 1.5)
        self._weights = [self._weight(unit) for unit in units]

    def _weight(self, unit: Unit) -> float:
        """How telling a unit is: as its best form that any product has."""
        known = [self._idf[gram] for gram, _, credit in unit.forms if gram in self._idf and credit >= 0.5]
        if not known:
            known = [idf for gram, idf in self._idf.items() if any(p and gram.startswith(g) for g, p, _ in unit.forms)]
        return max(known, default=self._unknown * (UNKNOWN if unit.characters else 1.0))

    def score(self, lines: Lines) -> float:
        """Share of the question that a product fits, its title's share on top."""
        total = sum(self._weights)
        if not total:
            return 0.0
        said: set[str] = set()
        credits = [self._credit(unit, lines, said) for unit in self.units]
        fits = sum(w * credit for credit, w in zip(credits, self._weights, strict=True))
        title = [gram for gram in lines.grams[0] if len(gram) > 1 or gram.isascii()]
        weight = sum(self._idf.get(gram, 0.0) for gram in title)
        share = sum(self._idf.get(gram, 0.0) for gram in title if gram in said) / weight if weight else 0.0
        sure = all(said & {gram for gram, _, credit in unit.forms if credit == 1.0} for unit in self.units if unit.must)
        score = fits / total * (1 - TITLE_SHARE + TITLE_SHARE * share)
        return round(score if sure and self._named else min(score, UNSURE), 6)

    def _credit(self, unit: Unit, lines: Lines, said: set[str]) -> float:
        best = 0.0
        for gram, prefix, credit in unit.forms:
            for line, worth in zip(lines.grams, FIELDS, strict=False):
                if gram in line:
                    said.add(gram)
                    best = max(best, credit * worth)
                elif prefix:
                    longer = max((len(gram) / len(g) for g in line if g.startswith(gram)), default=0.0)
                    best = max(best, credit * worth * (longer if gram.isascii() else 1.0 if longer else 0.0))
        if best == 0.0 and unit.characters:
            best = CHARACTER * sum(character in lines.characters for character in unit.characters)
        return best
