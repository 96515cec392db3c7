"""Finds what a text states."""

import re

from cs_bot.claims.fold import Folded, fold
from cs_bot.claims.lexicon import HAN_DIGITS, HAN_POWERS, LANGUAGES, ClaimType, mask_idioms, patterns
from cs_bot.records import Record

languages_with_lexicon: frozenset[str] = frozenset(LANGUAGES)

_ALWAYS = (
    (ClaimType.CONTACT, re.compile(r"(?:[a-z][a-z0-9+.-]{0,30}://|www\.)\S+|[\w.+-]{0,64}@[\w.-]+")),
    (
        ClaimType.CONTACT,
        re.compile(
            r"(?<![\w.-])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|cn|net|org|shop|io|co|jp|kr|top|xyz|cc|me|link|site|store|"
            r"info|biz|tv|app|ly|gl|ru|de|uk|tw|hk|vip|club|online)(?![a-z0-9])(?:/\S*)?"
        ),
    ),
    (ClaimType.CONTACT, re.compile(r"(?<![0-9a-z])(?:\+[0-9][0-9 ()-]{6,}[0-9]|1[3-9][0-9]{9}(?![0-9]))")),
    (ClaimType.ID, re.compile(r"#\s*[a-z]*-?[0-9]+|(?<![a-z0-9])[a-z]{1,6}-?[0-9]{5,}|[0-9][0-9 -]{6,}[0-9]")),
    (ClaimType.PRICE, re.compile(r"[$€£¥₩₹฿₫₽₱₪₺₴₦¢%‰]")),
    (ClaimType.NUMBER, re.compile(r"[0-9]+(?:[.,:/][0-9]+)*")),
    (ClaimType.NUMBER, re.compile(rf"第?[{HAN_DIGITS}{HAN_POWERS}]+")),
)


class Claim(Record):
    """One statement. `span` counts the characters of the text in NFC; `text` is what stands there."""

    type: ClaimType
    span: tuple[int, int]
    text: str


def find_claims(text: str, language: str | None = None) -> tuple[Claim, ...]:
    """Every number, quantity, availability, status, time, price, promise, contact and id that the text states.

    All word lists are tried whatever the language says, since a reply may mix languages: `language` only tells which
    text this is and may be any tag. Claims come in reading order; one inside another is left out. Languages without a
    word list are searched for digits, contacts and ids only: see `languages_with_lexicon`.
    """
    del language  # a reply in one language must not smuggle a claim in another
    folded = fold(text)
    masked = mask_idioms(folded.text)
    found = [
        _claim(folded, kind, match)
        for kind, pattern in (*_ALWAYS, *patterns())
        for match in pattern.finditer(masked)
        if match.end() > match.start()
    ]
    return _outermost(found)


def _claim(folded: Folded, kind: ClaimType, match: re.Match[str]) -> Claim:
    start, end = folded.span(match.start(), match.end())
    return Claim(type=kind, span=(start, end), text=folded.source[start:end])


def _outermost(claims: list[Claim]) -> tuple[Claim, ...]:
    kept: list[Claim] = []
    for claim in sorted(claims, key=lambda c: (c.span[0], -c.span[1])):
        if not kept or claim.span[1] > kept[-1].span[1]:
            kept.append(claim)
    return tuple(kept)
