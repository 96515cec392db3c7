"""Segmentation for search that needs no dictionary: bigrams for scripts without spaces, whole words elsewhere.

The same grams feed SQLite's FTS5 (unicode61) and PostgreSQL's 'simple' text search, so that both find the same.
"""

import re
import unicodedata
from dataclasses import dataclass

LONGEST_WORD = 64  # characters; nobody searches for more, and PostgreSQL drops words over 2 kB
SHORTEST_PREFIX = 3  # a shorter Latin word must match whole
MOST_TERMS = 100  # of one question; a longer text is searched by its beginning

_UNSPACED = "々〆〇\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff"
_UNSPACED += "\uac00-\ud7a3\U00020000-\U0002fa1f"  # Hangul too: its particles stick to the words
_RUN = re.compile(f"(?P<unspaced>[{_UNSPACED}]+)|(?P<word>[^\\W_{_UNSPACED}]+)")
_COURTESY = re.compile(
    "你好呀?|您好|在吗|请问一?下?|麻烦问?一?下?|谢谢(?:你|您)?|亲亲?[,，~]|"
    "すみません|こんにちは|お願いします|ありがとうございます|안녕하세요|감사합니다|"
    r"\b(?:hi|hello|hey|please|thanks|thank you|excuse me)\b"
)
# fmt: off
_COMMON = frozenset((
    "a", "an", "and", "any", "are", "at", "be", "by", "can", "could", "do", "does", "for", "have", "i", "if",
    "in", "is", "it", "me", "my", "of", "on", "or", "our", "so", "some", "that", "the", "there", "this", "to",
    "was", "we", "will", "with", "would", "you", "your",
))
# fmt: on


@dataclass(frozen=True)
class Term:
    """One thing to search for; `prefix`: whatever starts with it counts."""

    text: str
    prefix: bool = False


def fold(text: str) -> str:
    """Text in the form in which words are compared: NFKC, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def grams(text: str) -> str:
    """The search column for one wording: bigrams of each unspaced run and its last character, words whole.

    `开发票 invoice` gives `开发 发票 票 invoice`: the lone last character lets a search for 票 find it by prefix.
    """
    found: list[str] = []
    for run, unspaced in _runs(text):
        found += [*_bigrams(run), run[-1]] if unspaced else [run]
    return " ".join(found)


def terms(text: str) -> tuple[Term, ...]:
    """What to search for: bigrams of each unspaced run, a lone character and longer words as prefixes.

    Courtesies and the commonest English words are left out unless nothing else is there.
    """
    found: dict[str, Term] = {}
    for run, unspaced in _runs(text):
        for gram in _bigrams(run) if unspaced and len(run) > 1 else [run]:
            prefix = len(run) == 1 if unspaced else len(run) >= SHORTEST_PREFIX
            found.setdefault(gram, Term(gram, prefix))
    weighty = {gram: term for gram, term in found.items() if gram not in _COMMON}
    return tuple((weighty or found).values())[:MOST_TERMS]


def wording(column: str) -> tuple[str, ...]:
    """The grams of one line of the search column that say something: without repeats, tails and common words."""
    found: dict[str, None] = {}
    before = ""
    for gram in column.split():
        if not (len(gram) == 1 and before.endswith(gram) and len(before) == 2) and gram not in _COMMON:
            found[gram] = None
        before = gram
    return tuple(found or dict.fromkeys(column.split()))


def _runs(text: str) -> list[tuple[str, bool]]:
    folded = fold(text)
    bare = _COURTESY.sub(" ", folded)
    for candidate in (bare, folded):
        runs = [(match[0], match["unspaced"] is not None) for match in _RUN.finditer(candidate)]
        if runs:
            return [(run, True) if unspaced else (_stem(run), False) for run, unspaced in runs]
    return []


def _bigrams(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)]


def _stem(word: str) -> str:
    """Harman's S-stemmer: the plural of an English word as its singular (`deliveries` -> `delivery`)."""
    word = word[:LONGEST_WORD]
    if len(word) < 4 or not (word.isascii() and word.isalpha()) or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") else word
