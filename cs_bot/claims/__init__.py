"""What a text states: numbers, quantities, availability, promises, ids (used by answer, review, deliver)."""

from cs_bot.claims.finder import Claim, find_claims, languages_with_lexicon
from cs_bot.claims.language import detect_language, is_traditional
from cs_bot.claims.lexicon import ClaimType
from cs_bot.claims.numerals import numbers_in, same_number, unknown_numbers
from cs_bot.claims.slots import clean_value, fill, slot_names, words_outside

__all__ = [
    "Claim",
    "ClaimType",
    "clean_value",
    "detect_language",
    "fill",
    "find_claims",
    "is_traditional",
    "languages_with_lexicon",
    "numbers_in",
    "same_number",
    "slot_names",
    "unknown_numbers",
    "words_outside",
]
