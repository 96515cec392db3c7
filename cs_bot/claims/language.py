"""Tells the language of a short text from its script and a few common words."""

import re
import tomllib
from collections import Counter
from functools import cache
from importlib.resources import files

from cs_bot.claims.fold import SIMPLIFIED, is_han

# Characters and words that only Japanese writes so.
_JAPANESE_KANJI = frozenset("発売応対気広読駅円図転権伝単変戻払込働枠畑峠価覚検険験済録徴拡択沢総続両団実帰楽")
_JAPANESE_WORDS = re.compile("注文|荷物|返品|返金|到着|在庫|領収書|交換希望|連絡先")
_TRADITIONAL_ONLY = frozenset(SIMPLIFIED) - _JAPANESE_KANJI - frozenset("著甚")
_SIMPLIFIED_ONLY = frozenset(SIMPLIFIED.values()) - frozenset(SIMPLIFIED)
_SCRIPTS = (
    ("ru", "\u0400", "\u052f"),
    ("th", "\u0e00", "\u0e7f"),
    ("ar", "\u0600", "\u06ff"),
    ("he", "\u0590", "\u05ff"),
    ("el", "\u0370", "\u03ff"),
    ("hi", "\u0900", "\u097f"),
    ("bn", "\u0980", "\u09ff"),
    ("ta", "\u0b80", "\u0bff"),
    ("lo", "\u0e80", "\u0eff"),
    ("my", "\u1000", "\u109f"),
    ("ka", "\u10a0", "\u10ff"),
    ("km", "\u1780", "\u17ff"),
    ("hy", "\u0530", "\u058f"),
)
_LATIN_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def detect_language(text: str) -> str:
    """The primary tag of a text's language, `und` when it can't be told ("ok", "12345", an emoji).

    By script first (Korean, Japanese, Chinese, Russian, Thai, Arabic ...), Latin texts by their commonest words.
    """
    counts = Counter(_script(char) for char in text)
    han, kana, hangul = counts["han"], counts["kana"], counts["ko"]
    words = [word.lower() for word in _LATIN_WORD.findall(text) if _is_latin(word[0])]
    asian = han + kana + hangul
    if asian and asian >= len(words):
        return _asian(text, han, kana, hangul)
    others = {tag: counts[tag] for tag, _, _ in _SCRIPTS if counts[tag]}
    if others:
        tag = max(others, key=lambda name: others[name])
        if others[tag] > sum(map(len, words)) // 2:
            return _cyrillic(text) if tag == "ru" else tag
    return _latin(text.lower(), words)


def is_traditional(text: str) -> bool:
    """Whether a Chinese text is written in traditional characters."""
    traditional = sum(char in _TRADITIONAL_ONLY for char in text)
    simplified = sum(char in _SIMPLIFIED_ONLY for char in text)
    return traditional > simplified


def _is_latin(char: str) -> bool:
    return char < "\u0250" or "\u1e00" <= char <= "\u1eff"


def _script(char: str) -> str:
    if "\u3041" <= char <= "\u30fa" or "\uff66" <= char <= "\uff9d":
        return "kana"
    if "\uac00" <= char <= "\ud7a3" or "\u1100" <= char <= "\u11ff" or "\u3130" <= char <= "\u318f":
        return "ko"
    if is_han(char):
        return "han"
    return next((tag for tag, low, high in _SCRIPTS if low <= char <= high), "")


def _asian(text: str, han: int, kana: int, hangul: int) -> str:
    if hangul >= max(han, kana):
        return "ko"
    only_no = kana <= 2 and set(re.findall(r"[\u3041-\u30fa]", text)) <= set("のノ")
    if kana and not (only_no and han >= 2):
        return "ja"
    japanese = any(char in _JAPANESE_KANJI for char in text) or _JAPANESE_WORDS.search(text)
    return "ja" if japanese else "zh"


def _cyrillic(text: str) -> str:
    return "uk" if any(char in "іїєґІЇЄҐ" for char in text) else "ru"


@cache
def _latin_data() -> tuple[dict[str, str], dict[str, frozenset[str]], frozenset[str]]:
    data = tomllib.loads(files("cs_bot.claims").joinpath("latin.toml").read_text("utf-8"))
    stop = {language: frozenset(words.split()) for language, words in data["words"].items()}
    return data["signs"], stop, frozenset(data["greetings"].split())


def _latin(text: str, words: list[str]) -> str:
    all_signs, stop_words, greetings = _latin_data()
    for language, signs in all_signs.items():
        if any(sign in text for sign in signs):
            return language
    if not words or all(word in greetings for word in words):
        return "und"
    scores = {language: sum(word in stop for word in words) for language, stop in stop_words.items()}
    best = max(scores, key=lambda language: scores[language])
    if scores[best] == 0:
        return "und"
    if scores["en"] == scores[best] and all(scores[name] < scores[best] for name in scores if name != "en"):
        return "en" if scores["en"] * 5 >= len(words) else "und"
    return best if best != "en" else "und"
