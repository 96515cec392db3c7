"""Latin words as they may have been meant: vocabulary of a shop's catalog within one or two typing errors."""

from collections.abc import Iterable
from functools import lru_cache

SHORTEST = 4  # characters; a shorter word is another word after one change
ONE_ERROR_BELOW = 8  # characters; two errors from there on. The first letter must be right: it rarely is mistyped


class Vocabulary:
    """The Latin words of a catalog, and which of them a mistyped word may be."""

    def __init__(self, columns: Iterable[str]) -> None:
        """`columns`: search columns."""
        words = {gram for column in columns for gram in column.split() if _is_word(gram)}
        self._by_start: dict[str, list[str]] = {}
        for word in sorted(words):
            self._by_start.setdefault(word[0], []).append(word)
        self.meant = lru_cache(maxsize=2048)(self._meant)

    def _meant(self, word: str) -> tuple[tuple[str, int], ...]:
        """(word of the catalog, errors), fewest errors first; () for a word that is too short or no word."""
        if not _is_word(word):
            return ()
        most = 1 if len(word) < ONE_ERROR_BELOW else 2
        near = []
        for known in self._by_start.get(word[0], ()):
            if abs(len(known) - len(word)) <= most and len(set(known) ^ set(word)) <= 2 * most:
                errors = distance(word, known)
                if errors <= most:
                    near.append((known, errors))
        return tuple(sorted(near, key=lambda one: (one[1], one[0])))


def distance(a: str, b: str) -> int:
    """Optimal string alignment distance: insertions, deletions, substitutions, neighbours swapped."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, char in enumerate(a, start=1):
        older, before, row = before, row, [i]
        for j, other in enumerate(b, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == other:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _is_word(gram: str) -> bool:
    return len(gram) >= SHORTEST and gram.isascii() and gram.isalpha()
