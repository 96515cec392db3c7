"""Order numbers: the labelled one, or one whose shape can't be anything else."""

import re
from collections.abc import Mapping, Sequence
from datetime import date

from cs_bot.vision.lite.boxes import Page
from cs_bot.vision.lite.lexicon import (
    NOT_ORDER_ID_LABEL,
    ORDER_ID_LABEL,
    ORDER_TIME_LABEL,
    OTHER_LABEL,
    UNMISTAKABLE,
)
from cs_bot.vision.lite.lines import Found, Line, Span, beside

_TOKEN = re.compile(r"[^0-9a-z\u3040-\u9fff]{0,6}(?P<id>[0-9a-z][0-9a-z\-\u2010-\u2015]{2,39})")
_TAIL_WORDS = re.compile(r"-?(?:copy|copied|details?|view|kopieren|copiar|edit)$", re.IGNORECASE)
_LOOSE = re.compile(r"(?<![0-9a-z-])(?=[0-9a-z-]*\d{4})[0-9a-z][0-9a-z-]{11,29}(?![0-9a-z-])")
_TIMES = re.compile(r"20\d\d\s?[-/.年]\s?\d+\s?[-/.月]\s?\d+\s?日?|\d{1,2}:\d\d(?::\d\d)?|[a-z]+\.? \d{1,2}, 20\d\d")
_MORE_DIGITS = re.compile(r"\d{2,}|(?<![a-z])(?=[a-z]*\d)[a-z\d]{3,}")
MIN_DIGITS = 4


def order_numbers(page: Page, lines: Sequence[Line], formats: Mapping[str, str]) -> list[Found]:
    """Labelled order numbers top to bottom, each once; else unlabelled ones (`label` None) of a known shape."""
    found: dict[str, Found] = {}
    for label, span, _ in beside(page, tuple(lines), ORDER_ID_LABEL, _next_label, _parse):
        value = clean(span.raw)
        if not NOT_ORDER_ID_LABEL.search(label.line.text[max(0, label.start - 4) : label.start]):
            found.setdefault(value, Found(value, span, label))
    return list(found.values()) or _unlabelled(lines, formats)


def clean(raw: str) -> str:
    """A number as records hold it: upper case, plain hyphens, no spaces, no hash sign."""
    return re.sub(r"[\u2010-\u2015]", "-", re.sub(r"[\s#]", "", raw)).upper()


def shapes_of(value: str, formats: Mapping[str, str]) -> tuple[str, ...]:
    """The platforms whose format this number has."""
    return tuple(name for name, pattern in formats.items() if re.fullmatch(pattern, value) and _dated(name, value))


def more_digits(span: Span) -> bool:
    """Whether the number seems to go on: a hyphen ends it, or more digits (no time) follow on its line."""
    rest = span.line.text[span.end :]
    halt = _next_label(rest)
    return rest.startswith("-") or _MORE_DIGITS.search(_TIMES.sub(" ", rest[:halt])) is not None


def _next_label(rest: str) -> int | None:
    """Where another label begins in the rest of a line."""
    starts = [
        match.start()
        for pattern in (NOT_ORDER_ID_LABEL, ORDER_TIME_LABEL, OTHER_LABEL)
        if (match := pattern.search(rest)) is not None
    ]
    return min(starts, default=None)


def _parse(line: Line, start: int, end: int) -> Span | None:
    match = _TOKEN.match(line.text, start, end)
    if match is None:
        return None
    first, last = match.span("id")
    tail = _TAIL_WORDS.search(line.raw[first:last])
    last -= len(tail.group()) if tail else 0
    token = line.text[first:last].rstrip("-")
    if sum(sign.isdigit() for sign in token) < MIN_DIGITS:
        return None
    return line.span(first, first + len(token))


def _unlabelled(lines: Sequence[Line], formats: Mapping[str, str]) -> list[Found]:
    """Numbers of a known shape without a label; of unmistakable shape first."""
    sure, guesses = dict[str, Found](), dict[str, Found]()
    for line in lines:
        for match in _LOOSE.finditer(line.text):
            value = clean(line.raw[match.start() : match.end()])
            shapes = shapes_of(value, formats)
            if not shapes or NOT_ORDER_ID_LABEL.search(line.text[: match.start()]):
                continue
            goal = sure if set(shapes) & set(UNMISTAKABLE) else guesses
            goal.setdefault(value, Found(value, line.span(match.start(), match.end()), None))
    return list((sure or guesses).values())


def _dated(name: str, value: str) -> bool:
    """Numbers of some platforms hold the day of the order; an impossible day is a misread number."""
    digits = {"pdd": value[:6], "rakuten": value[7:15], "shopee": value[:6]}.get(name)
    if digits is None:
        return True
    digits = digits if len(digits) == 8 else "20" + digits
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True
