"""Reads the numbers of a text, however they are written, into one spelling."""

import re
from collections.abc import Iterable
from decimal import Decimal

from cs_bot.claims.fold import Folded, fold
from cs_bot.claims.lexicon import mask_idioms

_HAN_VALUE = dict(zip("零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖两俩仨", "00123456789123456789223", strict=True)) | {
    "廿": "20",
    "卅": "30",
}
_POWERS = {
    "十": 10,
    "拾": 10,
    "百": 100,
    "佰": 100,
    "千": 1000,
    "仟": 1000,
    "万": 10**4,
    "亿": 10**8,
    "兆": 10**12,
    "백": 100,
    "천": 1000,
    "만": 10**4,
    "억": 10**8,
    "k": 1000,
}
_UNIT_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TEN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_EN_UNITS = (
    {word: value for value, word in enumerate(_UNIT_WORDS.split())}
    | {word: value + 1 for value, word in enumerate(_ORDINALS.split())}
    | {"once": 1, "twice": 2}
)
_EN_TENS = {word: 10 * (place + 2) for place, word in enumerate(_TEN_WORDS.split())}
_EN_POWERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "dozen": 12, "dozens": 12}
_EN_WORD = "|".join(sorted((*_EN_UNITS, *_EN_TENS, *_EN_POWERS), key=len, reverse=True))

_NUMBER = re.compile(
    r"(?P<digits>[0-9]{1,3}(?:[,，'][0-9]{3})+(?:\.[0-9]+)?(?![0-9])"  # 1,299.00
    r"|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]{1,2}(?![0-9.,])"  # 1.299,00
    r"|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?(?![0-9])"  # 1,00,000
    r"|(?<![0-9.])[0-9]+[.,][0-9]+(?![0-9]|[.,][0-9])|[0-9]+)"
    r"(?:\s?(?P<power>[十百千万亿백천만억]+|k(?![a-z])))?"
    r"|(?P<han>[零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖两俩仨几半廿卅十百千万亿兆拾佰仟]+)"
    rf"|(?<![a-z])(?P<words>(?:{_EN_WORD})(?:(?:[ -]|\sand\s)(?:{_EN_WORD}))*)(?![a-z])"
)


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers a text states, in reading order, each in one spelling: "1299.5" for "１,299.50", "300" for 三百.

    Thousands separators, full-width digits, digits of other scripts, CJK numerals with their powers and English number
    words are read. A run of three or more digits with a leading zero is taken for an id and keeps it. Vague ones
    (十几, 几百) and halves stay as they are written. Numerals in harmless idioms (一下, one moment) are none.
    """
    folded = fold(text)
    return tuple(_canonical(folded, match) for match in _NUMBER.finditer(mask_idioms(folded.text)))


def same_number(one: str, other: str) -> bool:
    """Whether two texts state the same single number: "１，２９９.00" and "1299", 三百 and "300"."""
    first, second = numbers_in(one), numbers_in(other)
    return len(first) == 1 and first == second


def unknown_numbers(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """The numbers of `text` that stand in none of the `known` texts (facts, filled slots, the customer's words)."""
    allowed = {number for source in known for number in numbers_in(source)}
    return tuple(dict.fromkeys(number for number in numbers_in(text) if number not in allowed))


def _canonical(folded: Folded, match: re.Match[str]) -> str:
    if match["han"]:
        return _han(match["han"])
    if match["words"]:
        return str(_english(match["words"]))
    return _digits(match["digits"], match["power"] or "")


def _digits(digits: str, power: str) -> str:
    if not power and digits.isdecimal():
        return str(int(digits)) if len(digits) <= 2 or digits[0] != "0" else digits
    value = Decimal(_without_separators(digits))
    for sign in power:
        value *= _POWERS[sign]
    return _plain(value)


def _without_separators(digits: str) -> str:
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]{1,2}", digits):
        return digits.replace(".", "").replace(",", ".")
    if re.fullmatch(r"[0-9]+,[0-9]{1,2}", digits):
        return digits.replace(",", ".")
    return re.sub(r"[,，']", "", digits)


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _han(numeral: str) -> str:
    """300 for 三百, 2026 for 二〇二六, 12000 for 一万二, 250 for 两百五; vague ones as written."""
    if "几" in numeral or "半" in numeral:
        return numeral
    if not any(sign in _POWERS for sign in numeral):
        return "".join(_HAN_VALUE[sign] for sign in numeral).lstrip("0") or "0"
    total, section, digit, last_power = 0, 0, 0, 1
    for sign in numeral:
        power = _POWERS.get(sign)
        if power is None:
            digit = int(_HAN_VALUE[sign])
            last_power = 1 if sign in "零〇" else last_power
        elif power < 10**4:
            section += (digit or 1) * power
            digit, last_power = 0, power
        else:
            total += ((section + digit) or 1) * power
            section, digit, last_power = 0, 0, power
    if digit and last_power >= 100:
        digit *= last_power // 10
    return str(total + section + digit)


def _english(words: str) -> int:
    total, section = 0, 0
    for word in re.split(r"[\s-]+", words):
        if word in _EN_POWERS:
            section = (section or 1) * _EN_POWERS[word]
            if word in ("thousand", "million"):
                total, section = total + section, 0
        elif word != "and":
            section += _EN_UNITS.get(word, 0) or _EN_TENS.get(word, 0)
    return total + section
