"""FAQ retrieval: candidates by the index, the ranking here, so that every database gives the same."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from cs_bot.knowledge.words import Term, grams, terms, wording
from cs_bot.records import Faq, FaqHit
from cs_bot.schemas import FaqIn
from cs_bot.store.database import Transaction
from cs_bot.store.queries import faq

QUERY_SHARE = 0.3  # weight of "how much of the question is covered"; the rest: how much of the entry's wording is


def search_column(item: FaqIn) -> str:
    """The search column of an entry: a line of grams for the question and one for each variant."""
    return "\n".join(grams(text) for text in (item.question, *item.variants))


def search(tx: Transaction, question: str, language: str, limit: int = 3) -> tuple[FaqHit, ...]:
    """The entries that fit the question best, in the customer's language (BCP 47; its primary tag decides).

    `score` is 1 for a wording that equals the question and falls towards 0 the less the two share; `margin` is the
    distance to the next entry. An entry found by its wording in another language is given in the customer's
    language, and left out where it has no such answer.
    """
    wanted = terms(question)
    found = faq.candidates(tx, [(term.text, term.prefix) for term in wanted])
    scores = _scores(wanted, found, faq.count(tx)) if found else {}
    answers = _in_language(faq.by_ids(tx, list(scores)), language)
    ranked = sorted(((scores[i], i) for i in answers), key=lambda pair: (-pair[0], pair[1]))
    after = [*(score for score, _ in ranked[1:]), 0.0]
    return tuple(
        FaqHit(faq=answers[faq_id], score=score, margin=round(score - after[place], 6))
        for place, (score, faq_id) in enumerate(ranked[:limit])
    )


def _in_language(entries: Iterable[Faq], language: str) -> dict[str, Faq]:
    """Per id the entry in that language: the same tag before the bare primary tag before another region."""
    primary = language.split("-")[0].casefold()
    same = [entry for entry in entries if entry.language.split("-")[0].casefold() == primary]
    same.sort(key=lambda entry: (entry.language != language, entry.language != primary, entry.language))
    chosen: dict[str, Faq] = {}
    for entry in same:
        chosen.setdefault(entry.faq_id, entry)
    return chosen


def _scores(wanted: Sequence[Term], found: Sequence[faq.Candidate], total: int) -> dict[str, float]:
    """faq_id -> its best wording's score. Every entry with a term is among the candidates: frequencies are exact."""
    wordings = [(entry.faq_id, [wording(line) for line in entry.grams.split("\n")]) for entry in found]
    frequency = Counter(gram for _, lines in wordings for gram in {gram for line in lines for gram in line})
    weight = {gram: math.log(1 + (total + 1) / (n + 0.5)) for gram, n in frequency.items()}
    rare = math.log(1 + (total + 1) / 1.5)  # a term that no entry holds weighs as much as one that a single entry holds
    scores: dict[str, float] = {}
    for faq_id, lines in wordings:
        best = max(_score(wanted, line, weight, rare) for line in lines)
        scores[faq_id] = max(best, scores.get(faq_id, 0.0))
    return {faq_id: score for faq_id, score in scores.items() if score > 0}


def _score(wanted: Sequence[Term], line: Sequence[str], weight: dict[str, float], rare: float) -> float:
    """Weighted harmonic mean of two coverages, each the matched share of gram weights (Tversky-like), in 0..1."""
    asked = covered = 0.0
    matched: dict[str, float] = {}
    for term in wanted:
        hits = {gram: len(term.text) / len(gram) for gram in line if _matches(term, gram)}
        value = max((weight[gram] for gram in hits), default=weight.get(term.text, rare))
        asked += value
        covered += value * max(hits.values(), default=0.0)
        for gram, share in hits.items():
            matched[gram] = max(share, matched.get(gram, 0.0))
    written = sum(weight[gram] for gram in line)
    if not covered or not written:
        return 0.0
    of_question = covered / asked
    of_wording = sum(weight[gram] * share for gram, share in matched.items()) / written
    return round(1 / (QUERY_SHARE / of_question + (1 - QUERY_SHARE) / of_wording), 6)


def _matches(term: Term, gram: str) -> bool:
    return gram.startswith(term.text) if term.prefix else gram == term.text
