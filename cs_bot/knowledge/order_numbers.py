"""Order numbers as customers type them, told from phones, dates and amounts."""

import re
from datetime import date

from cs_bot.claims.fold import fold

_NOT_ORDERS = re.compile(
    r"(?<![0-9])(?:19|20)[0-9]{2}[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}日?"
    r"(?:[ t]*[0-9]{1,2}[:：][0-9]{2}(?:[:：][0-9]{2})?)?"
    r"|(?<![0-9])[0-9]{1,2}[:：][0-9]{2}(?:[:：][0-9]{2})?(?![0-9])"
    r"|[$€£¥₩]\s?[0-9][0-9,]*(?:\.[0-9]+)?"
    r"|(?<![0-9,.])[0-9][0-9,]*(?:\.[0-9]+)?\s?(?:元|块|円|원|usd|eur|rmb|cny|jpy|dollars?|yuan)"
    r"|(?<![0-9])[0-9]+\.[0-9]+(?![0-9])"
    r"|\+[0-9][0-9 ()-]{7,}[0-9]|\([0-9]{3}\) ?[0-9]{3}[- ][0-9]{4}"
    r"|(?<![0-9-])(?:[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}|0[0-9]{1,4}-[0-9]{1,4}-[0-9]{4}"
    r"|0[0-9]{2,3}-[0-9]{7,8})(?![0-9-])"
    r"|(?:手机|电话|tel|phone|运单|快递|物流|tracking|송장|伝票)[^0-9\n。，,]{0,12}[a-z0-9][a-z0-9 -]{6,}[0-9]"
)
_LABELLED = re.compile(
    r"(?:订单(?:编号|号码?)?|单号|注文番号|주문\s*번호|order\s*(?:number|no\.?|id|#)?)\s*(?:是|は|is|:|：|#|=|为)*\s*"
    r"(?P<id>(?P<digits>[0-9](?:[ -]?[0-9]){7,27}(?![0-9a-z-]))"
    r"|#?(?:[a-z]{1,6}-?)?[0-9][0-9a-z-]{2,28}[0-9a-z])(?![0-9a-z])"
)
_SHAPES = re.compile(
    r"(?<![0-9a-z-])(?:"
    r"(?P<hash>#\s?[a-z]{0,4}-?[0-9]{3,12})"
    r"|(?P<amazon>[0-9]{3}-[0-9]{7}-[0-9]{7})"
    r"|(?P<rakuten>[0-9]{6}-[0-9]{8}-[0-9]{6,10})"
    r"|(?P<alnum>[0-9]{6}(?=[0-9a-z]*[a-z])[0-9a-z]{6,10}|[a-z]{1,5}-?[0-9]{6,20})"
    r"|(?P<digits>[0-9](?:[ -]?[0-9]){7,27})"
    r")(?![0-9a-z])"
)


def typed_order_ids(text: str) -> tuple[str, ...]:
    """The order numbers in a text, upper case, without blanks, each once, in order.

    Taken: 8 to 28 digits, also in groups; 3-7-7 (Amazon), 6-8-10 (Rakuten), 6-15; letters with digits (Shopee);
    "#1001"; anything with four or more characters after words such as "order number". Not taken: Chinese, Japanese,
    Korean and American phone numbers, dates, times, amounts, and what is called a tracking number.
    """
    return tuple(dict.fromkeys(found for found, _ in _find(text)))


def without_order_ids(text: str) -> str:
    """The text without the order numbers in it."""
    source = fold(text).source
    for _, (start, end) in reversed(_find(text)):
        source = source[:start] + " " + source[end:]
    return source


def _find(text: str) -> list[tuple[str, tuple[int, int]]]:
    folded = fold(text)
    masked = _NOT_ORDERS.sub(lambda match: "\x00" * len(match.group()), folded.text)
    found: dict[int, tuple[str, tuple[int, int]]] = {}
    for match in _LABELLED.finditer(masked):
        value = match["id"]
        if sum(char.isdigit() for char in value) >= 3:
            for piece, start, end in _pieces(match, "id"):
                found[start] = (piece.upper(), folded.span(start, end))
            masked = masked[: match.start("id")] + "\x00" * len(value) + masked[match.end("id") :]
    for match in _SHAPES.finditer(masked):
        for value, start, end in _pieces(match, 0):
            if not _is_phone_or_date(value):
                found[start] = (value.upper(), folded.span(start, end))
    return [found[start] for start in sorted(found)]


def _pieces(match: re.Match[str], group: str | int) -> list[tuple[str, int, int]]:
    """The matched number, or its groups of digits where each is a number of its own."""
    whole, start = match.group(group), match.start(group)
    parts = list(re.finditer(r"[0-9-]+", whole))
    if match["digits"] and len(parts) > 1 and all(sum(map(str.isdigit, part.group())) >= 8 for part in parts):
        return [(part.group(), start + part.start(), start + part.end()) for part in parts]
    return [(whole.replace(" ", ""), start, start + len(whole))]


def _is_phone_or_date(value: str) -> bool:
    digits = value.replace("-", "")
    if re.fullmatch(r"1[3-9][0-9]{9}|0[0-9]{9,10}", digits):
        return True
    if len(digits) != 8:
        return False
    try:
        return 2000 <= date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year <= 2099
    except ValueError:
        return False
