"""CSV cells as values of the published schemas: times, order lines, wordings, numbers that a spreadsheet has spoilt."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

TIMES = ("ordered_at", "paid_at", "shipped_at", "delivered_at", "ship_by", "updated_at")
NUMBERS_AS_TEXT = ("order_id", "customer_id", "phone", "tracking_no", "faq_id", "product_id")

_ROUNDED = re.compile(r"\d(?:\.\d+)?[eE]\+\d+")
_TIME = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?"
)
_DIGITS_ONLY = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?")


def read_cells(
    cells: Mapping[str, str], zone: tzinfo | None, more: Mapping[str, Callable[[str], Any]] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """(values, problems) of one CSV record. `zone` is that of times without one; None: they are refused.

    `more`: readers of further columns, or in the place of the usual ones.
    """
    readers: dict[str, Callable[[str], Any]] = {
        "lines": order_lines,
        "variants": variants,
        "status": str.lower,
        **dict.fromkeys(TIMES, lambda cell: time(cell, zone)),
        **dict.fromkeys(NUMBERS_AS_TEXT, unspoilt),
        **(more or {}),
    }
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, cell in cells.items():
        try:
            values[name] = readers.get(name, str)(cell)
        except ValueError as problem:
            problems.append(f"{name}: {problem}")
    return values, problems


def time(cell: str, zone: tzinfo | None) -> datetime:
    """`2026-05-01 12:33:20`; also with / . or 年月日, without seconds or time, with an offset, as 14 or 8 digits."""
    match = _TIME.fullmatch(cell) or _DIGITS_ONLY.fullmatch(cell)
    if match is None:
        raise ValueError("not a time such as 2026-05-01 12:33:20")
    parts = [int(part or 0) for part in match.groups()[:6]]
    fraction, offset = [*match.groups()[6:], None, None][:2]
    if offset is None and zone is None:
        raise ValueError("the time has no zone")
    try:
        year, month, day, hour, minute, second = parts
        microsecond = int((fraction or "").ljust(6, "0"))
        own = _offset(offset) if offset else zone
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=own)
    except ValueError:
        raise ValueError("there is no such date or time") from None


def order_lines(cell: str) -> list[Any]:
    """A JSON list of lines, or `sku:quantity:name` separated by `;` or line breaks (an sku holds no colon)."""
    if cell.startswith("["):
        return json_list(cell)
    found = []
    for entry in filter(None, (part.strip() for part in re.split(r"[;；\n]", cell))):
        sku, quantity, name = (part.strip() for part in [*entry.split(":", 2), "", ""][:3])
        if not name or not (quantity.isascii() and quantity.isdigit()):
            raise ValueError("write each line as sku:quantity:name, separated by ; or use a JSON list")
        found.append({"sku": sku, "quantity": int(quantity[:9]), "name": name})
    return found


def variants(cell: str) -> list[Any]:
    """A JSON list of wordings, or wordings separated by `|` or line breaks."""
    if cell.startswith("["):
        return json_list(cell)
    return [part.strip() for part in re.split(r"[|｜\n]", cell) if part.strip()]


def json_list(cell: str) -> list[Any]:
    """A JSON list; raises ValueError."""
    try:
        found = json.loads(cell, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise ValueError("starts with [ but is not a JSON list") from None
    if not isinstance(found, list):
        raise ValueError("starts with [ but is not a JSON list")
    return found


def unspoilt(cell: str) -> str:
    """The cell; raises ValueError for a number that was rounded."""
    if _ROUNDED.fullmatch(cell):
        raise ValueError("a spreadsheet has rounded this number; format the column as text and export it again")
    return cell


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-span if text.startswith("-") else span)
