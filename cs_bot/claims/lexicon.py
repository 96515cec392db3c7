"""The word lists of each language, compiled once."""

import re
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from cs_bot.claims.fold import fold_words

LANGUAGES = ("zh", "en", "ja", "ko")
HAN_DIGITS = "零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖两俩仨几廿卅半弌弍弎貮"
HAN_POWERS = "十百千万亿兆拾佰仟"
_NOT_IN_NUMBER = rf"[{HAN_DIGITS}{HAN_POWERS}0-9]"
MASK = "\x00"


class ClaimType(StrEnum):
    """What kind of statement a claim is."""

    NUMBER = "number"
    QUANTITY = "quantity"
    AVAILABILITY = "availability"
    STATUS = "status"
    TIME = "time"
    PRICE = "price"
    PROMISE = "promise"
    CONTACT = "contact"
    ID = "id"


@cache
def word_list(language: str) -> dict[str, Any]:
    """The data file of a language as written.

    Raises FileNotFoundError for a language without one.
    """
    return tomllib.loads(files("cs_bot.claims").joinpath(f"{language}.toml").read_text("utf-8"))


@cache
def patterns() -> tuple[tuple[ClaimType, re.Pattern[str]], ...]:
    """One compiled pattern per language and type."""
    return tuple(_compile_all())


def _compile_all() -> Iterator[tuple[ClaimType, re.Pattern[str]]]:
    for language in LANGUAGES:
        data = word_list(language)
        for name, words in data["claims"].items():
            joined = "|".join(fold_pattern(word) for word in words)
            if data["boundary"] == "word":
                joined = rf"(?<![a-z0-9_])(?:{joined})(?![a-z0-9_])"
            yield ClaimType(name), re.compile(joined)


def fold_pattern(pattern: str) -> str:
    """A regular expression in the spelling of folded texts: only letters change, escapes stay."""
    return "".join(char if char.isascii() or char.isspace() else fold_words(char) or char for char in pattern)


@cache
def _idiom_pattern() -> re.Pattern[str]:
    parts = []
    for language in LANGUAGES:
        data = word_list(language)
        for phrase in sorted(data["idioms"]["phrases"], key=len, reverse=True):
            text = r"\s*".join(re.escape(word) for word in fold_words(phrase).split())
            if data["boundary"] == "word":
                text = rf"(?<![a-z0-9_]){text.replace(chr(92) + 's*', chr(92) + 's+')}(?![a-z0-9_])"
            parts.append(text)
    # An idiom beside a numeral is part of a number: 三万一样 must not hide behind 一样.
    return re.compile(rf"(?<!{_NOT_IN_NUMBER})(?:{'|'.join(parts)})(?!{_NOT_IN_NUMBER})")


def mask_idioms(folded: str) -> str:
    """The folded text with every harmless idiom overwritten; its length stays."""
    return _idiom_pattern().sub(lambda match: MASK * len(match.group()), folded)
