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
AT_ONCE = 50  # entries loaded at a time, best first


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
    answers: list[tuple[Faq, float]] = []
    ranked = sorted(scores, key=lambda faq_id: (-scores[faq_id], faq_id))
    for start in range(0, len(ranked), AT_ONCE):
        entries = _in_language(faq.by_ids(tx, ranked[start : start + AT_ONCE]), language)
        answers += [(entries[i], scores[i]) for i in ranked[start : start + AT_ONCE] if i in entries]
        if len(answers) > limit:  # one more than asked for: the last one's margin needs it
            break
    after = [*(score for _, score in answers[1:]), 0.0]
    return tuple(
        FaqHit(faq=entry, score=score, margin=round(score - after[place], 6))
        for place, (entry, score) in enumerate(answers[:limit])
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
    asked = _Asked(wanted, weight, unknown=math.log(1 + (total + 1) / 1.5))
    scores: dict[str, float] = {}
    for faq_id, lines in wordings:
        scores[faq_id] = max(scores.get(faq_id, 0.0), *(asked.score(line) for line in lines))
    return {faq_id: score for faq_id, score in scores.items() if score > 0}


class _Asked:
    """A question's terms, weighed; `unknown` is the weight of a term that no entry holds (as if one held it)."""

    def __init__(self, wanted: Sequence[Term], weight: dict[str, float], *, unknown: float) -> None:
        self.weight = weight
        self.links: dict[str, list[tuple[int, float]]] = {}  # gram -> (number of the term, matched share of the gram)
        self.values: list[float] = []
        for number, term in enumerate(wanted):
            meant = [g for g in weight if g.startswith(term.text)] if term.prefix else [term.text]
            known = [gram for gram in meant if gram in weight]
            for gram in known:
                self.links.setdefault(gram, []).append((number, len(term.text) / len(gram)))
            self.values.append(max((weight[gram] for gram in known), default=unknown))

    def score(self, line: Sequence[str]) -> float:
        """Weighted harmonic mean of two coverages, each the matched share of gram weights (Tversky-like), in 0..1."""
        reached: dict[int, float] = {}
        matched = 0.0
        for gram in line:
            links = self.links.get(gram, ())
            for number, share in links:
                reached[number] = max(share, reached.get(number, 0.0))
            matched += self.weight[gram] * max((share for _, share in links), default=0.0)
        if not matched:
            return 0.0
        of_question = sum(self.values[number] * share for number, share in reached.items()) / sum(self.values)
        of_wording = matched / sum(self.weight[gram] for gram in line)
        return round(1 / (QUERY_SHARE / of_question + (1 - QUERY_SHARE) / of_wording), 6)
