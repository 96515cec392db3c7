"""Our own catalog file: CSV or JSON Lines with the fields of schemas.ProductIn."""

import json
import re
from collections.abc import Iterator
from typing import Any

from cs_bot.knowledge.cells import json_list, read_cells
from cs_bot.knowledge.exports.how import How
from cs_bot.knowledge.exports.values import money
from cs_bot.knowledge.rows import Row, RowFile
from cs_bot.schemas import ProductIn

MARKS = (frozenset({"product_id", "title"}),)
KNOWN = re.compile("|".join(map(re.escape, ProductIn.model_fields)))


def rows(file: RowFile, how: How) -> Iterator[Row]:
    """The records. `attributes`: JSON object or `name=value; …`; `variants`: JSON list; `pictures`: `a|b` or a list."""
    readers = {"attributes": _attributes, "variants": json_list, "pictures": _pictures, "price": money}
    for row in file.rows():
        if row.problem is not None:
            yield row
        elif not file.is_csv:
            yield Row(row.line, how.fill(row.values))
        else:
            values, problems = read_cells(row.values, how.zone, readers)
            yield Row(row.line, how.fill(values), "; ".join(problems) or None)


def _pictures(cell: str) -> list[Any]:
    return json_list(cell) if cell.startswith("[") else [part.strip() for part in re.split(r"[|\n]", cell)]


def _attributes(cell: str) -> dict[str, Any]:
    if cell.startswith("{"):
        try:
            found = json.loads(cell)
        except (ValueError, RecursionError):
            raise ValueError("starts with { but is not a JSON object") from None
        return {name: value if isinstance(value, str) else str(value) for name, value in found.items()}
    pairs = [part.partition("=") for part in re.split(r"[;；\n]", cell) if part.strip()]
    if not all(name.strip() and sign for name, sign, _ in pairs):
        raise ValueError("write name=value; name=value, or a JSON object")
    return {name.strip(): value.strip() for name, _, value in pairs}
