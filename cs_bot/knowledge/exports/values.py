"""Values as shop exports write them: money, stock, HTML bodies, lists in one cell."""

import re
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser
from typing import Any

MAX_DESCRIPTION = 5000  # characters kept of a product's text
MAX_VALUE = 200  # characters kept of an attribute

_MONEY = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_MARKS = re.compile(r"^(?:[A-Z]{3}|[$€£¥￥₩])\s*|\s*(?:[A-Z]{3}|[$€£¥￥₩]|元)$")
_SPACES = re.compile(r"[ \t\xa0]+")
_LINES = re.compile(r"\s*\n\s*")


def money(cell: str) -> Decimal:
    """`1299.00`, `1,299.00`, `1.299,00`, `12,50`, with a currency sign or without; raises ValueError.

    One comma before exactly three digits may be either sign: refused.
    """
    text = _MARKS.sub("", cell.strip())
    last = max(text.rfind("."), text.rfind(","))
    whole, rest = (text[:last], text[last + 1 :]) if last >= 0 else (text, "")
    if last >= 0 and len(rest) == 3 and ("," in text) and "." not in text and text.count(",") == 1:
        raise ValueError("may mean thousands or a fraction; write it with a point and no comma")
    groups = re.split(r"[.,' \xa0\u202f]", whole)
    if last >= 0 and len(rest) == 3 and len(groups) > 1 and text[last] in whole:  # 1,234,567
        groups, rest = [*groups, rest], ""
    if len(groups) > 1 and any(len(group) != 3 for group in groups[1:]):
        raise ValueError("not an amount such as 1299.00")
    plain = "".join(groups) + (f".{rest}" if rest else "")
    if not _MONEY.fullmatch(plain):
        raise ValueError("not an amount such as 1299.00")
    try:
        return Decimal(plain)
    except InvalidOperation:
        raise ValueError("not an amount such as 1299.00") from None


def whole_number(cell: str) -> int:
    """`12`, `12.0`, `-3`; raises ValueError."""
    match = re.fullmatch(r"(-?\d{1,9})(?:\.0+)?", cell.strip())
    if match is None:
        raise ValueError("not a whole number")
    return int(match[1])


def text_of_html(body: str) -> str:
    """The words of an HTML body, paragraphs as lines, scripts and styles left out."""
    reader = _Words()
    reader.feed(body)
    reader.close()
    return _LINES.sub("\n", _SPACES.sub(" ", "".join(reader.found))).strip()[:MAX_DESCRIPTION]


class _Words(HTMLParser):
    """Collects text."""

    _BREAKS = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table"})
    _SILENT = frozenset({"script", "style", "head", "template"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """A paragraph is a line of its own."""
        self._silent += tag in self._SILENT
        if tag in self._BREAKS:
            self.found.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """The end of a paragraph too."""
        if tag in self._SILENT:
            self._silent = max(0, self._silent - 1)
        if tag in self._BREAKS:
            self.found.append("\n")

    def handle_data(self, data: str) -> None:
        """Text outside scripts."""
        if not self._silent:
            self.found.append(data)


def once(skus: list[str]) -> list[str]:
    """The SKUs, repeated ones told apart (`A`, `A#2`): a variant is known by its SKU."""
    seen: dict[str, int] = {}
    told = []
    for sku in skus:
        seen[sku] = seen.get(sku, 0) + 1
        told.append(sku if seen[sku] == 1 else f"{sku}#{seen[sku]}")
    return told


def short(text: str) -> str:
    """At most so much as an attribute holds."""
    return text.strip()[:MAX_VALUE]
