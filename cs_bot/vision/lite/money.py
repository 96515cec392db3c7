"""The total paid and its currency."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cs_bot.vision.lite.boxes import Page
from cs_bot.vision.lite.lexicon import NOT_TOTAL_LABEL, OTHER_LABEL, TOTAL_LABELS
from cs_bot.vision.lite.lines import Found, Line, Span, beside

_SIGNS: dict[str, str | None] = {  # None: depends on the page
    "nt$": "TWD", "hk$": "HKD", "us$": "USD", "s$": "SGD", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD",
    "r$": "BRL", "mx$": "MXN", "cn¥": "CNY", "jp¥": "JPY", "rmb": "CNY", "cny": "CNY", "usd": "USD", "eur": "EUR",
    "gbp": "GBP", "jpy": "JPY", "twd": "TWD", "hkd": "HKD", "sgd": "SGD", "myr": "MYR", "aud": "AUD", "cad": "CAD",
    "rm": "MYR", "rp": "IDR", "php": "PHP", "₱": "PHP", "฿": "THB", "₫": "VND", "₹": "INR", "₩": "KRW",
    "€": "EUR", "£": "GBP", "円": "JPY", "¥": None, "$": None, "元": None,
}  # fmt: skip
_SIGN = "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True))
_NUMBER = (
    r"\d{1,3}(?:(?P<sep>[,.'])\s?\d{3})(?:(?P=sep)\s?\d{3})*(?:\s?[.,]\s?\d{1,2})?(?!\d)"
    r"|\d+(?:\s{0,2}[.,]\s?\d{1,2})?(?!\d)"
)
_AMOUNT = re.compile(
    rf"(?P<minus>[-−–]\s*)?(?:(?<![a-z])(?P<before>{_SIGN})\s*)?(?P<minus2>[-−–]\s*)?(?P<number>{_NUMBER})"
    rf"(?:\s*(?P<after>{_SIGN})(?![a-z]))?"
)
_REDUCTION = re.compile(r"(?:减|省|优惠|立减|抵扣?|折扣|off|saved?|discount|割引|値引き?|rabatt)\s*[:：]?\s*$")
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_HARMLESS = re.compile(r"(?:paid|price|amount|due|charged|for this order|of order|cost|usd|eur|incl.*|inkl.*|iva.*)")
_NO_DECIMALS = {"JPY", "TWD", "KRW", "VND", "IDR"}
_HANT_WORDS = re.compile(r"蝦皮|購|訂單|運費|賣家|買家|貨|總|臺|灣")


@dataclass(frozen=True)
class Money:
    """An amount as printed: plain decimal string, its sign's currency (None unknown), where it stands."""

    value: str
    sign: str | None
    span: Span


@dataclass(frozen=True)
class Total:
    """The total paid, and the doubts about it that the words alone raise."""

    found: Found
    sign: str | None
    doubts: tuple[str, ...]


def totals(page: Page, lines: Sequence[Line]) -> list[Total]:
    """The totals under the weightiest label on the page; several different ones contradict each other."""
    for rank, label in enumerate(TOTAL_LABELS):
        found: dict[str, Total] = {}
        for named, money, _ in beside(page, tuple(lines), label, _next_label, _parse):
            if not _aside(named, rank == len(TOTAL_LABELS) - 1):
                found.setdefault(money.value, _total(money, named, rank))
        if found:
            return list(found.values())
    return []


def amounts(line: Line, start: int = 0, end: int | None = None) -> list[Money]:
    """Every positive amount in a part of a line, signed or not."""
    found = []
    for match in _AMOUNT.finditer(line.text, start, len(line.text) if end is None else end):
        if match["minus"] or match["minus2"] or _REDUCTION.search(line.text, max(0, match.start() - 12), match.start()):
            continue
        value = plain(match["number"])
        if value is not None:
            found.append(Money(value, match["before"] or match["after"], line.span(*match.span("number"))))
    return found


def plain(number: str) -> str | None:
    """`1,299.00`, `1.299,00` and `1299.00` as `1299.00`; None when the signs contradict each other."""
    text = re.sub(r"[\s']", "", number)
    marks = re.findall(r"[.,]", text)
    if not marks:
        return text.lstrip("0") or "0"
    head, last = text[: max(text.rfind("."), text.rfind(","))], text[max(text.rfind("."), text.rfind(",")) + 1 :]
    if len(last) == 3:  # a thousands mark, so all of them are
        return text.replace(",", "").replace(".", "") if len(set(marks)) == 1 else None
    whole = re.sub(r"[.,]", "", head)
    return f"{whole.lstrip('0') or '0'}.{last}" if last else None


def currency_of(sign: str | None, lines: Sequence[Line]) -> tuple[str | None, bool]:
    """ISO code for a sign on this page, and whether it is sure. Without a sign the page's other amounts decide."""
    if sign is None:
        counted = Counter(money.sign for line in lines for money in amounts(line) if money.sign)
        if not counted:
            return None, False
        code, sure = currency_of(counted.most_common(1)[0][0], lines)
        return code, sure and len(counted) == 1
    fixed = _SIGNS[sign]
    if fixed is not None:
        return fixed, True
    raw = " ".join(line.raw for line in lines)
    japanese = len(re.findall(r"[\u3041-\u30fa]", raw)) >= 3
    if sign == "¥":
        return ("JPY", True) if japanese else ("CNY", True)
    hant = len(set(_HANT_WORDS.findall(raw))) >= 2
    if sign == "元":
        return ("TWD", True) if hant else ("CNY", True)
    if hant:
        return "TWD", True
    text = " ".join(line.text for line in lines)
    return "USD", not re.search(r"shopee|merchandise\s*subtotal|pedido|envío|canada|australia|\bgst\b|\bhst\b", text)


def goes_on(span: Span) -> bool:
    """Whether more of the amount seems to follow: a thousands or decimal mark, or digits."""
    rest = span.line.text[span.end :]
    return re.match(r"[,.](?!\s*[a-z\u3040-\u9fff]{2})|\s*\d", rest) is not None


def lacks_decimals(value: str, currency: str | None, lines: Sequence[Line]) -> bool:
    """Whether other amounts of the page have decimals and this one has none: its small ones may have been missed."""
    if "." in value or currency in _NO_DECIMALS:
        return False
    others = [money.value for line in lines for money in amounts(line) if money.sign]
    return sum("." in other for other in others) > 0.3 * len(others)


def _total(money: Money, label: Span, rank: int) -> Total:
    doubts = []
    whole, _, cents = money.value.partition(".")
    if len(cents) == 1:
        doubts.append("format")
    if len(whole) > 8:
        doubts.append("format")
    if money.sign is None and not cents:
        doubts.append("unsigned")
    return Total(Found(money.value, money.span, label, rank), money.sign, tuple(doubts))


def _aside(label: Span, bare: bool) -> bool:
    """Whether the label belongs to a part of the sum (商品合计, Subtotal, Total before tax) and not to the whole.

    A `bare` label (Total, 合计) names the whole only when no word that we don't know goes with it.
    """
    text = label.line.text
    before, after = text[max(0, label.start - 6) : label.start], text[label.end : label.end + 14]
    cut = re.split(r"\s{2,}|[:：;,，。\d]", before)[-1]
    tail = re.split(r"\s{2,}|[:：\d(]", after)[0]
    if bare and re.search(r"[a-z]", tail) and not _HARMLESS.fullmatch(tail.strip()):
        return True
    return bool(NOT_TOTAL_LABEL.search(cut + text[label.start : label.end] + tail))


def _next_label(rest: str) -> int | None:
    match = OTHER_LABEL.search(rest)
    return match.start() if match else None


def _parse(line: Line, start: int, end: int) -> Money | None:
    """The amount beside a total's label: signed ones first, those in brackets last."""
    bare = _ASIDE.sub(lambda m: " " * len(m.group()), line.text[start:end])
    shown = Line(line.raw, line.text[:start] + bare + line.text[end:], line.spots)
    for candidate in (shown, line):
        found = amounts(candidate, start, end)
        signed = [money for money in found if money.sign or "." in money.value]
        if signed:
            return Money(signed[0].value, signed[0].sign, line.span(signed[0].span.start, signed[0].span.end))
        if len(found) == 1 and re.fullmatch(r"[\s:：]*[\d,.\s]+", candidate.text[start:end]):
            return Money(found[0].value, None, line.span(found[0].span.start, found[0].span.end))
    return None
