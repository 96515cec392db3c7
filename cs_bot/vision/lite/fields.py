"""From lines of text to the fields of an order, each with its state and the guards that fired."""

from collections.abc import Mapping, Sequence

from cs_bot.records import ORDER_FIELDS, FieldState, ReadField
from cs_bot.vision.lite.boxes import Page, Rect
from cs_bot.vision.lite.guards import (
    Evidence,
    far_from_copy,
    far_from_label,
    format_guard,
    line_cut,
    number_guards,
    pixel_guards,
)
from cs_bot.vision.lite.kinds import Findings
from cs_bot.vision.lite.lexicon import PLATFORM_WORDS
from cs_bot.vision.lite.lines import Line, line_of
from cs_bot.vision.lite.money import currency_of, goes_on, lacks_decimals, totals
from cs_bot.vision.lite.numbers import order_numbers, shapes_of
from cs_bot.vision.lite.status import contradicted, statuses
from cs_bot.vision.lite.times import order_times

UNLABELLED, CONFLICT, AMBIGUOUS, DECIMALS = "unlabelled", "conflict", "ambiguous", "decimals"


def lines_of(page: Page) -> tuple[Line, ...]:
    """The rows of a page as lines."""
    return tuple(line_of(row) for row in page.rows)


def find(page: Page, lines: tuple[Line, ...], formats: Mapping[str, str]) -> Findings:
    """Every candidate of every field."""
    return Findings(
        numbers=tuple(order_numbers(page, lines, formats)),
        totals=tuple(totals(page, lines)),
        times=tuple(order_times(page, lines)),
        statuses=tuple(statuses(page)),
    )


def platforms_of(lines: Sequence[Line]) -> tuple[str, ...]:
    """Platforms that the words of a page name."""
    text = "\n".join(line.text for line in lines)
    return tuple(name for name, words in PLATFORM_WORDS.items() if words.search(text))


def judge(
    evidence: Evidence, lines: tuple[Line, ...], found: Findings, formats: Mapping[str, str], whole: tuple[str, ...]
) -> dict[str, ReadField]:
    """One ReadField for each of ORDER_FIELDS; `whole` are guards that fired on the whole page (list, language)."""
    platforms = platforms_of(lines)
    fields = {
        "order_id": _number(evidence, found, platforms, formats, whole),
        "order_time": _time(evidence, found, platforms, formats, whole),
        **_money(evidence, lines, found, formats, whole),
        **_status(found, whole),
    }
    return {name: fields[name] for name in ORDER_FIELDS}


def _field(value: str, guards: Sequence[str], box: Rect) -> ReadField:
    fired = tuple(dict.fromkeys(guards))
    return ReadField(value=value, state=FieldState.CONFIRM if fired else FieldState.READ, guards=fired, box=box)


def _number(
    evidence: Evidence, found: Findings, platforms: tuple[str, ...], formats: Mapping[str, str], whole: tuple[str, ...]
) -> ReadField:
    if not found.numbers:
        return ReadField()
    best = found.numbers[0]
    labelled = best.label is not None
    loose = not set(shapes_of(best.value, formats)) - {"shopify"}
    shape = format_guard(best.value, labelled, platforms, formats)
    guards = [*whole, *shape, *number_guards(evidence, best.span, loose=loose)]
    if len(found.numbers) > 1:
        guards.append(CONFLICT)
    apart = far_from_label(evidence.page, best.span, best.label) or far_from_copy(evidence.page, best.span)
    if loose and apart:
        guards.append("split")
    if not labelled and (shape or len(best.value) < 17):
        guards.append(UNLABELLED)
    return _field(best.value, guards, best.span.rect)


def _time(
    evidence: Evidence, found: Findings, platforms: tuple[str, ...], formats: Mapping[str, str], whole: tuple[str, ...]
) -> ReadField:
    if not found.times:
        return ReadField()
    best = found.times[0]
    guards = [*whole, *pixel_guards(evidence, best.span), *line_cut(evidence, best.span)]
    named = {*platforms, *(name for one in found.numbers for name in shapes_of(one.value, formats))}
    day_first = best.extra == AMBIGUOUS and "shopee" in named  # it writes 03-11-2026 for the third of November
    if best.extra and not day_first:
        guards.append(best.extra)
    if len({one.value[:10] for one in found.times}) > 1:
        guards.append(CONFLICT)
    return _field(best.value, guards, best.span.rect)


def _money(
    evidence: Evidence,
    lines: tuple[Line, ...],
    found: Findings,
    formats: Mapping[str, str],
    whole: tuple[str, ...],
) -> dict[str, ReadField]:
    if not found.totals:
        return {"amount": ReadField(), "currency": ReadField()}
    best = found.totals[0]
    code, sure = currency_of(best.sign, lines)
    if best.sign == "$" and code == "USD" and any("shopee" in shapes_of(n.value, formats) for n in found.numbers):
        sure = False  # it sells in many countries, not in the United States
    guards = [*whole, *best.doubts, *pixel_guards(evidence, best.found.span, even=False)]
    if len(found.totals) > 1:
        guards.append(CONFLICT)
    if goes_on(best.found.span):
        guards.append("split")
    if lacks_decimals(best.found.value, code, lines):
        guards.append(DECIMALS)
    box = best.found.span.rect
    doubt = () if sure else (AMBIGUOUS,)
    currency = ReadField() if code is None else _field(code, (*whole, *doubt), box)
    return {"amount": _field(best.found.value, guards, box), "currency": currency}


def _status(found: Findings, whole: tuple[str, ...]) -> dict[str, ReadField]:
    if not found.statuses:
        return {"status": ReadField(), "status_text": ReadField()}
    best = found.statuses[0]
    guards = (*whole, *((CONFLICT,) if contradicted(found.statuses) else ()))
    return {
        "status": _field(best.status.value, guards, best.box.rect),
        "status_text": _field(best.text, guards, best.box.rect),
    }
