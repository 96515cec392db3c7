"""The time an order was placed."""

import re
from collections.abc import Sequence
from datetime import datetime

from cs_bot.vision.lite.boxes import Page
from cs_bot.vision.lite.lexicon import NOT_ORDER_ID_LABEL, ORDER_ID_LABEL, ORDER_TIME_LABEL, OTHER_LABEL
from cs_bot.vision.lite.lines import Found, Line, beside

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar enero ene jän", "february feb februar febrero", "march mar märz marz mrz marzo",
            "april apr abril abr", "may mai mayo", "june jun juni junio", "july jul juli julio",
            "august aug agosto ago", "september sept sep septiembre", "october oct oktober okt octubre",
            "november nov noviembre", "december dec dezember dez diciembre dic",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_NAME = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<!\d)(?P<y>20\d\d)\s?(?P<s>[-/.])\s?(?P<m>1[0-2]|0[1-9]|[1-9](?!\d))\s?(?P=s)\s?(?P<d>3[01]|[12]\d|0[1-9]|[1-9](?!\d))",
        r"(?<!\d)(?P<y>20\d\d)\s?年\s?(?P<m>\d{1,2})\s?月\s?(?P<d>\d{1,2})\s?日(?:\s*\([^)]{1,2}\))?",
        rf"(?<![a-z])(?P<n>{_NAME})\.?\s*(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s*[,.]?\s*(?P<y>20\d\d)",
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?\s*(?:de\s*)?(?P<n>{_NAME})\.?\s*(?:de(?:l)?\s*)?,?\s*(?P<y>20\d\d)",
        r"(?<!\d)(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>20\d\d)",
        r"(?<!\d)(?P<a>\d{1,2})(?P<s>[-/])(?P<b>\d{1,2})(?P=s)(?P<y>20\d\d)",
    )
)
_WEEKDAY = re.compile(r"\s*\([^()\d]{1,4}\)|\s*(?:周|星期)[一二三四五六日天]")
_CLOCK = re.compile(
    r"\s*(?:t|at|um|,|a\s*las|[·|])?\s*(?P<pm0>上午|下午|晚上|午前|午後|中午)?\s*(?P<h>[01]?\d|2[0-3])\s?[:：時时点]\s?(?P<i>[0-5]\d)"
    r"(?:\s?[:：分]\s?(?P<sec>[0-5]\d))?(?!\d)\s*(?P<pm>[ap]\.?m\b\.?)?"
)


def order_times(page: Page, lines: Sequence[Line]) -> list[Found]:
    """Times beside a label of ordering, each once; `extra` is `ambiguous` when day and month can't be told apart."""
    found: dict[str, Found] = {}
    for label, time, _ in beside(page, tuple(lines), ORDER_TIME_LABEL, _next_label, parse_time):
        found.setdefault(time.value, Found(time.value, time.span, label, extra=time.extra))
    return list(found.values())


def parse_time(line: Line, start: int, end: int) -> Found | None:
    """The first date in a part of a line, with its time of day when one follows."""
    matches = [m for pattern in _DATES if (m := pattern.search(line.text, start, end)) is not None]
    for match in sorted(matches, key=lambda m: m.start()):
        day, ambiguous = _day(match)
        if day is None:
            continue
        weekday = _WEEKDAY.match(line.text, match.end(), end)
        clock = _CLOCK.match(line.text, weekday.end() if weekday else match.end(), end)
        value, last = day.strftime("%Y-%m-%d"), match.end()
        if clock is not None:
            value, last = value + "T" + _time(clock), clock.end()
        elif _half_a_clock(line.text[match.end() : end]):
            ambiguous = "format"
        return Found(value, line.span(match.start(), last), None, extra=ambiguous)
    return None


def has_time(text: str) -> bool:
    """Whether a folded text holds a date."""
    return any(pattern.search(text) for pattern in _DATES)


def _day(match: re.Match[str]) -> tuple[datetime | None, str]:
    parts, ambiguous = match.groupdict(), ""
    if "a" in parts:
        a, b = int(parts["a"]), int(parts["b"])
        day, month = (b, a) if b > 12 else (a, b)
        ambiguous = "ambiguous" if a <= 12 and b <= 12 and a != b else ""
    else:
        day = int(parts["d"])
        month = _MONTHS[parts["n"]] if parts.get("n") else int(parts["m"])
    try:
        return datetime(int(parts["y"]), month, day), ambiguous  # noqa: DTZ001 - local time as printed, zone unknown
    except ValueError:
        return None, ""


def _time(clock: re.Match[str]) -> str:
    hour = int(clock["h"])
    half = (clock["pm0"] or "") + (clock["pm"] or "")
    if half.startswith(("下", "晚", "午後", "p", "中")) and hour < 12:
        hour += 12
    if half.startswith(("上", "午前", "a")) and hour == 12:
        hour = 0
    return f"{hour:02d}:{clock['i']}:{clock['sec'] or '00'}"


def _half_a_clock(rest: str) -> bool:
    """Digits right after a date that make no time of day: something of it is hidden or misread."""
    return re.match(r"\s?\d", rest) is not None


def _next_label(rest: str) -> int | None:
    starts = [m.start() for p in (OTHER_LABEL, ORDER_ID_LABEL, NOT_ORDER_ID_LABEL) if (m := p.search(rest))]
    return min(starts, default=None)
