"""Colours, sizes and attribute columns in canonical names, from Chinese, English, Japanese and Korean words."""

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from cs_bot.claims.fold import fold_words
from cs_bot.claims.lexicon import fold_pattern

ONE_SIZE = "one size"
MAX_READ = 4000
_LANGUAGES = ("zh", "en", "ja", "ko")
_WORD = r"(?<![a-z0-9])(?:{})(?![a-z0-9])"

# A Chinese colour of one character counts where it can't be part of another word: 黑的, 黑款, 要黑, 黑/白, 黑白灰.
_BARE = {
    "黑": "black", "白": "white", "灰": "grey", "红": "red", "粉": "pink", "橙": "orange", "橘": "orange",
    "黄": "yellow", "绿": "green", "蓝": "blue", "紫": "purple", "棕": "brown", "金": "gold", "银": "silver",
}  # fmt: skip
_BARE_LETTERS = "".join(_BARE)
_GOODS = r"(?:t恤|裙|裤|衬?衫|鞋|包(?![邮裹装含])|帽|外套|卫衣|毛衣|大衣|西装|袜|围巾|沙发|手机壳|羽绒服|杯|伞)"
_BARE_IN_TEXT = re.compile(
    rf"(?<![{_BARE_LETTERS}\u4e00-\u9fff])(?P<whole>[{_BARE_LETTERS}]{{1,4}})(?=$|[\s,，、/?!。+&|;])"
    rf"|(?P<before>[{_BARE_LETTERS}])(?={_GOODS}|的(?![是确])|款|系)"
    rf"|(?:(?<=[要选拿换买])|(?<=有没有)|(?<=有))(?P<after>[{_BARE_LETTERS}])(?=[吗么呢吧还和跟或与?、,，]|$)"
    rf"|(?P<choice>[{_BARE_LETTERS}])(?=(?:还是|和|或者?|跟|与)[{_BARE_LETTERS}](?![{_BARE_LETTERS}]))"
    rf"|(?:(?<=[{_BARE_LETTERS}]还是)|(?<=[{_BARE_LETTERS}][和或跟与])|(?<=[{_BARE_LETTERS}]或者))"
    rf"(?P<other>[{_BARE_LETTERS}])(?=$|[\s,，?哪好呢更比都吗的款])"
)
_BARE_TRAPS = re.compile(
    r"(?:[现资押定奖租基罚税礼薪黄五合]金|水银|[明表坦空]白|网红|[面奶米花药]粉|小?红的?包|小黄车)"
)

_LETTERS = r"(?:[2-6]\s?X|X{1,5})\s?[SL]"
_SIZE_TRAPS = re.compile(
    r"(?:iphone|galaxy|pixel|model|series|xperia|switch)\s*(?:\d+\s*)?(?:xs|xl|s|m|l)\b(?:\s*max)?"
    r"|[$€£¥₩]\s?\d[\d,.]*|\d[\d,.]*\s?(?:元|块|円|원|usd|rmb|dollars?|yuan|%|折)"
    r"|\d{4}\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}|\d{1,2}\s?[月月]\s?\d{1,2}\s?[日号號]|\d{9,}",
    re.IGNORECASE,
)
_SIZES = re.compile(
    rf"(?<![A-Za-z0-9.'’-])(?P<letters>{_LETTERS})(?![A-Za-z'’])"
    r"|(?:size|サイズ|사이즈|尺[码碼])\s*(?:is|は|:|：)?\s*(?P<small>[sml])(?![A-Za-z0-9'’])"
    r"|(?<![A-Za-z0-9.'’])(?P<called>[sml])(?=\s?(?:码|碼|号|號|サイズ|사이즈|size\b))"
    r"|(?<![A-Za-z0-9.'’-])(?P<letter>[SML])(?![A-Za-z0-9'’]|-[A-Za-z])"
    r"|(?<![\d/])(?P<figure>1[0-9]{2}/[0-9]{2,3}[A-C]?)(?![\d/])"
    r"|(?<![A-Za-z])(?P<region>EU|EUR|US|UK|JP|CN)\s*(?:size\s*)?(?P<regional>\d{1,3}(?:\.5)?)(?![\d.])"
    r"|(?<![A-Za-z])(?:size|サイズ|사이즈)\s*(?:is|は|:|：|no\.?)?\s*(?P<named>\d{1,3}(?:\.5)?)(?!\.?\d)"
    r"|(?<![\d.,¥$￥#-])(?P<numbered>\d{1,3}(?:\.5)?)\s?(?:码|碼|サイズ|사이즈|mm(?=$|[^a-z]))"
    r"|(?<![\d.,¥$￥#-])(?P<shoe>3[4-9](?:\.5)?|4[0-8](?:\.5)?)\s?[号號]"
    r"|(?<![\d.,])(?P<cm>2[0-9](?:\.5)?)\s?(?:cm|センチ)(?![a-z])"
    r"|(?<=[有穿])\s?(?P<worn>3[4-9](?:\.5)?|4[0-8](?:\.5)?)(?=\s?(?:[的吗嗎么码呢?？,，。]|$))",
    re.IGNORECASE,
)
_NOT_A_THING = r"(?! (?!or\b|and\b|in\b|size|please|one\b|version|available|for me)[a-z])"  # "a small room" is no size
_SIZE_WORDS = {
    ONE_SIZE: re.compile(r"均码|均碼|one[- ]?size(?:[- ]fits[- ]all)?|free[- ]?size|フリーサイズ|프리\s?사이즈", re.I),
    "XL": re.compile(r"[加特]大[号號码碼]|엑스\s?라지|\b(?:extra|x)[- ]large\b", re.I),
    "L": re.compile(r"(?<![加特])大[号號](?!码)|라지|\blarge\b" + _NOT_A_THING, re.I),
    "M": re.compile(r"中[号號](?!码)|미디[움엄]|\bmedium\b" + _NOT_A_THING, re.I),
    "S": re.compile(r"(?<![大型])小[号號](?!码)|스몰|(?<!runs )(?<!run )\bsmall\b" + _NOT_A_THING, re.I),
}


def colours_in(text: str) -> tuple[str, ...]:
    """The colours that a text names, in canonical English, each once, in order; "红包" names none."""
    folded = _trap_pattern().sub(lambda match: "\x00" * len(match.group()), fold_words(text[:MAX_READ]))
    found: dict[int, str] = {}
    taken: list[tuple[int, int]] = []
    for start, end, colour in sorted(_named(folded), key=lambda one: (one[0], -one[1])):
        if all(end <= a or start >= b for a, b in taken):
            taken.append((start, end))
            found[start] = colour
    rest = _BARE_TRAPS.sub(lambda match: "\x00" * len(match.group()), folded)
    for match in _BARE_IN_TEXT.finditer(rest):
        for offset, letter in enumerate(match.group(match.lastgroup or 0)):
            place = match.start(match.lastgroup or 0) + offset
            if not any(a <= place < b for a, b in taken):
                found[place] = _BARE[letter]
    return tuple(dict.fromkeys(found[place] for place in sorted(found)))


def canonical_colour(text: str) -> str | None:
    """The one colour that a short value names ("深灰色", "Navy Blue"); `multicolour` for several, None for none."""
    value = text.strip()
    bare = _BARE.get(fold_words(value))
    if bare:
        return bare
    found = colours_in(value)
    if len(found) > 1:
        return "multicolour"
    return found[0] if found else None


def colour_names() -> tuple[str, ...]:
    """Every canonical name."""
    return tuple(_data()["colours"])


@cache
def colour_words() -> re.Pattern[str]:
    """One pattern of every word for a colour, over folded texts."""
    return re.compile("|".join(pattern.pattern for pattern in _colour_patterns().values()) + f"|[{_BARE_LETTERS}]")


def sizes_in(text: str) -> tuple[str, ...]:
    """The sizes that a text names, each once, in order.

    XXS to 6XL (2XL is XXL, 3XL is XXXL), `one size`, shoe and clothing numbers as digits ("38码" and "EU 38" are 38,
    "size 9" is 9, "US 9" keeps its region), "24.5cm", "170/88A". Prices, dates and order numbers are none.
    """
    shown = unicodedata.normalize("NFKC", text[:MAX_READ])
    shown = _SIZE_TRAPS.sub(lambda match: " " * len(match.group()), shown)
    found: list[tuple[int, str]] = []
    for size, pattern in _SIZE_WORDS.items():
        for match in pattern.finditer(shown):
            found.append((match.start(), size))
        shown = pattern.sub(lambda match: " " * len(match.group()), shown)
    for match in _SIZES.finditer(shown):
        called = _size(match)
        if called is not None:
            found.append((match.start(), called))
    return tuple(dict.fromkeys(size for _, size in sorted(found)))


def attribute_key(name: str) -> str | None:
    """What a shop's column says: colour, size, material, style or capacity; None for anything else.

    Case, script, "pa_" of WooCommerce and a part in brackets don't matter: 颜色分类, "Shoe Size", "pa_color", カラー.
    """
    folded = re.sub(r"\(.*?\)|\[.*?\]", " ", fold_words(name)).removeprefix("pa_")
    folded = re.sub(r"[\s_:-]+", " ", folded).strip()
    keys = {key for part in re.split(r"\s*[/|,&]\s*", folded) for key in [_column(part)]}
    return next(iter(keys)) if len(keys) == 1 else None


def _column(folded: str) -> str | None:
    return next((key for key, pattern in _column_patterns().items() if pattern.fullmatch(folded)), None)


def _named(folded: str) -> list[tuple[int, int, str]]:
    return [
        (match.start(), match.end(), colour)
        for colour, pattern in _colour_patterns().items()
        for match in pattern.finditer(folded)
    ]


def _size(match: re.Match[str]) -> str | None:
    group = match.lastgroup
    value = match.group(group or 0).upper().replace(" ", "")
    if group == "letters":
        return _letters(value)
    if group == "letter":  # a lower case letter alone is no size: "it's m"
        return value if match.group("letter").isupper() else None
    if group == "regional":
        region = match.group("region").upper()
        return value if region in ("EU", "EUR", "CN") else f"{region} {value}"
    if group == "cm":
        return f"{value}cm"
    return value


def _letters(value: str) -> str:
    """2XL, XXL -> XXL; XXXXL, 4XL -> 4XL."""
    end = value[-1]
    count = int(value[0]) if value[0].isdigit() else value.count("X")
    return f"{'X' * count if count <= 3 else f'{count}X'}{end}"


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("cs_bot.knowledge").joinpath("attributes.toml").read_text("utf-8"))


@cache
def _colour_patterns() -> dict[str, re.Pattern[str]]:
    return {colour: _joined(words) for colour, words in _data()["colours"].items()}


@cache
def _trap_pattern() -> re.Pattern[str]:
    return _joined(_data()["traps"])


@cache
def _column_patterns() -> dict[str, re.Pattern[str]]:
    return {key: re.compile("|".join(fold_pattern(w) for w in words)) for key, words in _data()["columns"].items()}


def _joined(words: dict[str, list[str]]) -> re.Pattern[str]:
    """One pattern for the words of all languages, the longest first; English words stand alone."""
    parts = []
    for language in _LANGUAGES:
        ranked = sorted((fold_pattern(word) for word in words.get(language, ())), key=len, reverse=True)
        if ranked:
            joined = "|".join(ranked)
            parts.append(_WORD.format(joined) if language == "en" else joined)
    return re.compile("|".join(parts))
