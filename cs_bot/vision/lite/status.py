"""What became of the order: the status words and where they stand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cs_bot.records import OrderStatus
from cs_bot.vision.lite.boxes import Page, TextBox
from cs_bot.vision.lite.lexicon import NOT_STATUS, STATUS_LABEL, STATUS_WORDS, fold
from cs_bot.vision.lite.times import has_time

_PATTERNS = tuple((status, re.compile(rf"(?<![a-z])(?:{fold(words)})(?![a-z])")) for status, words in STATUS_WORDS)
_PAYMENT = re.compile(r"pay|支付|付款|支払|zahlung|pago|financial")
_DECORATION = re.compile(r"[\s·:：>›<‹!！。.,，、()\d\-/]+")
_FORECAST = re.compile(fold(r"(?:预计|预期|还剩|剩余|将在|商家将|予定|estimated|expected|voraussichtlich).*$"))
_OPENING = re.compile(
    fold(
        r"(?:your|the|this|deine|ihre|tu|su|el)\s*(?:order|package|parcel|item|shipment|bestellung|paket|pedido|paquete)s?\s*"
        r"(?:is|was|has|have|ist|wurde|wird|está|esta|fue|ha\s*sido)?\s*(?:been|now)?\s*$"
    )
)
_WHEN = re.compile(  # what is left of a line that tells nothing but the status and its time
    fold(
        r"(?:[\s·,.:()\d年月日時时分点に/-]|on|at|today|tomorrow|yesterday|heute|gestern|morgen|am|um|el|hoy|今日|昨日|明日|今天|昨天|明天"
        r"|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|[a-z]*(?:uary|ch|il|ust|ember|tober)|märz|mai|juni?|juli?|oktober|dezember)*"
    )
)
_WIDE = re.compile(r"[\u3040-\u9fff]")
LONG = 26  # a longer line is a sentence about the order, not its status
LONG_LATIN = 40
MIN_SCORE = 1.6
CLOSE = 0.6  # two different statuses nearer than this contradict each other


@dataclass(frozen=True)
class StatusFound:
    """A status as printed, and how much speaks for it being that of the order."""

    status: OrderStatus
    text: str
    box: TextBox
    score: float
    exact: bool  # the line says nothing else


def match_status(text: str) -> tuple[OrderStatus, int, int] | None:
    """The longest status phrase in a line as printed: (status, start, end)."""
    best: tuple[OrderStatus, int, int] | None = None
    folded = fold(text)
    for status, pattern in _PATTERNS:
        for match in pattern.finditer(folded):
            if best is None or match.end() - match.start() > best[2] - best[1]:
                best = status, match.start(), match.end()
    return best


def statuses(page: Page) -> list[StatusFound]:
    """Every line that may tell the order's status, the likeliest first. Rows of tabs are left out."""
    found = []
    for row in page.rows:
        hits = [(box, hit) for box in row.boxes if (hit := match_status(box.text)) is not None]
        if len(hits) >= 3 or (len(hits) == 2 and len(row.boxes) >= 4):
            continue
        row_text = fold(row.text)
        for box, hit in hits:
            one = _judge(page, box, hit, row_text)
            if one is not None:
                found.append(one)
    return sorted(found, key=lambda one: -one.score)


def contradicted(found: Sequence[StatusFound]) -> bool:
    """Whether another status has nearly as much speaking for it."""
    return any(o.status is not found[0].status and found[0].score - o.score < CLOSE for o in found[1:])


def _judge(page: Page, box: TextBox, hit: tuple[OrderStatus, int, int], row_text: str) -> StatusFound | None:
    status, start, end = hit
    folded = fold(box.text)
    label = STATUS_LABEL.search(row_text)
    opening = _OPENING.match(folded[:start])
    start = opening.start() if opening else start
    rest = _FORECAST.sub(" ", folded[:start] + " " + folded[end:])
    if label is not None:
        rest = STATUS_LABEL.sub(" ", rest)
    elif NOT_STATUS.search(rest) or len(folded) > (LONG if _WIDE.search(folded) else LONG_LATIN):
        return None
    bare = _DECORATION.sub("", rest)
    share = (end - start) / (end - start + len(bare))
    latin = not _WIDE.search(folded[start:end])
    large = box.height / page.line_height - 1
    high = 1 - page.level(box) / max(1, page.height)
    score = 2.0 * (share >= 0.9) + 0.8 * (share >= 0.4) + 0.6 * (latin and start == 0)
    score += max(0.0, min(1.5, 2 * large)) + 1.2 * high
    if label is not None and label.start() < row_text.find(folded[start:end]):
        score += 1.0 if _PAYMENT.search(row_text[: label.start()]) else 2.5
    elif has_time(folded) and not latin:
        score -= 1.0  # a step of the parcel's way
    if score < MIN_SCORE:
        return None
    text = box.text[start:end] if label is not None or _WHEN.fullmatch(rest) else box.text
    return StatusFound(status, text.strip(" ><›‹:：·"), box, score, share >= 0.9)
