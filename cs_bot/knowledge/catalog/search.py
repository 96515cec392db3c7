"""Products that words mean: codes first, then words by the index. Ranked here: every database gives the same."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cs_bot.knowledge.catalog import traits
from cs_bot.knowledge.catalog.query import Lines, Scorer, Unit, codes_in, name_nothing, search_terms, units_of
from cs_bot.knowledge.catalog.spelling import Vocabulary
from cs_bot.records import Likeness, Product, ProductHit
from cs_bot.store.database import Transaction
from cs_bot.store.queries import products

AT_LEAST = 0.15  # a lower score is no hit
WELL = 0.55  # when the best score is lower, single characters and typing errors are tried too
LOADED = 40  # products loaded with their variants, best first: colour and size are looked at for these
WRONG_TRAIT = 0.85  # of the score: the product comes in other colours (or sizes) only
UNKNOWN_TRAIT = 0.96  # ... it is not known in which
CODE_START = 5  # characters of a code that may go on; 1 is taken from the score by what is missing
MOST_STARTS = 100  # codes whose beginning is looked for, longest first
WORDED = ("category", "brand", "material", "style")  # attributes that are searched as words


@dataclass(frozen=True)
class Wanted:
    """What is looked for. `attributes` has keys of records.ITEM_ATTRIBUTES and `size`."""

    text: str
    attributes: Mapping[str, str]

    @property
    def traits(self) -> dict[str, str]:
        """Canonical colour and size."""
        return traits.wanted_in(self.text, self.attributes)

    @property
    def words(self) -> str:
        """The text with the attributes that are words."""
        return " | ".join([self.text, *(self.attributes[name] for name in WORDED if self.attributes.get(name))])

    @property
    def codes(self) -> tuple[str, ...]:
        """What may be a code."""
        seen = self.attributes.get("code", "")
        return tuple(dict.fromkeys((*codes_in(self.text), *codes_in(seen))))


class Shelf:
    """The products of one account."""

    def __init__(self, tx: Transaction, channel: str, account: str) -> None:
        self.tx, self.channel, self.account = tx, channel, account

    def load(self, product_ids: Sequence[str]) -> dict[str, Product]:
        """The products of these ids."""
        found = products.by_ids(self.tx, self.channel, self.account, product_ids)
        return {product.product_id: product for product in found}

    def candidates(self, units: Sequence[Unit], *, loosely: bool) -> dict[str, Lines]:
        """Products that hold one of the words."""
        wanted = search_terms(units, loosely=loosely)
        rows = products.candidates(self.tx, self.channel, self.account, wanted)
        return {product_id: Lines.of(column) for product_id, column in rows}

    def count(self) -> int:
        """How many there are."""
        return products.count(self.tx, self.channel, self.account)


def by_codes(shelf: Shelf, wanted: Wanted) -> list[ProductHit]:
    """Products whose code stands in the text: score 1; and those of a code that starts so."""
    codes = wanted.codes
    exact = products.by_codes(shelf.tx, shelf.channel, shelf.account, codes)
    meant = _most_exact(exact)
    scores = {(hit.product_id, hit.sku): 1.0 for hit in meant}
    for code in codes[:MOST_STARTS]:
        if any(hit.code == code for hit in exact) or len(code) < CODE_START:
            continue
        for hit in products.by_code_prefix(shelf.tx, shelf.channel, shelf.account, code):
            key = (hit.product_id, hit.sku)
            scores[key] = max(scores.get(key, 0.0), round(0.95 * len(code) / len(hit.code), 6))
    return _of_codes(shelf, scores)


def _most_exact(hits: Iterable[products.CodeHit]) -> list[products.CodeHit]:
    """Without codes that are only a part of a longer one that was found: BAG 1024 is no 1024."""
    found = list(hits)
    codes = {hit.code for hit in found}
    parts = {code for code in codes if any(code != other and code in other for other in codes)}
    return [hit for hit in found if hit.code not in parts]


def _of_codes(shelf: Shelf, scores: Mapping[tuple[str, str | None], float]) -> list[ProductHit]:
    """One hit a product; its SKU where a single one was named."""
    loaded = shelf.load(sorted({product_id for product_id, _ in scores}))
    best: dict[str, tuple[float, list[str | None]]] = {}
    for (product_id, sku), score in scores.items():
        before = best.get(product_id, (0.0, []))
        if score > before[0]:
            best[product_id] = (score, [sku])
        elif score == before[0]:
            before[1].append(sku)
    return [
        ProductHit(
            product=loaded[product_id],
            sku=skus[0] if len(skus) == 1 else None,
            likeness=Likeness.CODE,
            score=score,
            margin=0.0,
        )
        for product_id, (score, skus) in best.items()
        if product_id in loaded
    ]


def by_words(shelf: Shelf, wanted: Wanted, vocabulary: Callable[[], Vocabulary]) -> list[ProductHit]:
    """Products that fit the words, colour and size; `vocabulary` gives one when it is needed."""
    scores = _scores(shelf, wanted.words, vocabulary)
    if wanted.words != wanted.text and wanted.text.strip():
        for product_id, score in _scores(shelf, wanted.text, vocabulary).items():
            scores[product_id] = max(score, scores.get(product_id, 0.0))
    ranked = sorted(scores, key=lambda product_id: (-scores[product_id], product_id))[:LOADED]
    loaded = shelf.load(ranked)
    asked = wanted.traits
    hits = [
        ProductHit(
            product=loaded[product_id],
            likeness=Likeness.WORDS,
            score=round(scores[product_id] * _trait_factor(loaded[product_id], asked), 6),
            margin=0.0,
        )
        for product_id in ranked
        if product_id in loaded
    ]
    return [hit for hit in hits if hit.score >= AT_LEAST]


def _scores(shelf: Shelf, text: str, vocabulary: Callable[[], Vocabulary]) -> dict[str, float]:
    units = units_of(text)
    if name_nothing(units):
        return {}
    total = shelf.count()
    scores = _scored(units, shelf.candidates(units, loosely=False), total)
    if max(scores.values(), default=0.0) < WELL:
        spelled = units_of(text, vocabulary())
        scores = _scored(spelled, shelf.candidates(spelled, loosely=True), total)
    return scores


def _scored(units: Sequence[Unit], found: Mapping[str, Lines], total: int) -> dict[str, float]:
    scorer = Scorer(units, found, total)
    return {product_id: score for product_id, lines in found.items() if (score := scorer.score(lines)) > 0}


def _trait_factor(product: Product, asked: Mapping[str, str]) -> float:
    known = traits.product_traits(product) if asked else {}
    factor = 1.0
    for name, value in asked.items():
        if name not in known:
            factor *= UNKNOWN_TRAIT
        elif value not in known[name]:
            factor *= WRONG_TRAIT
    return factor


def ranked(hits: Iterable[ProductHit], limit: int) -> tuple[ProductHit, ...]:
    """One hit a product, best first, each with its margin to the next one."""
    best: dict[str, ProductHit] = {}
    for hit in hits:
        before = best.get(hit.product.product_id)
        if before is None or hit.score > before.score:
            best[hit.product.product_id] = hit
    order = sorted(best.values(), key=lambda hit: (-hit.score, hit.product.product_id))
    after = [*(hit.score for hit in order[1:]), 0.0]
    return tuple(
        hit.model_copy(update={"margin": round(hit.score - after[place], 6)}) for place, hit in enumerate(order[:limit])
    )
