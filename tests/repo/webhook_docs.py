"""Makes the generated parts of docs/webhooks.md: `python -m tests.repo.webhook_docs` writes them."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cs_bot.schemas import EVENT_SHAPES, HandOffOut, ReplyOut

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, SCHEMAS = DOCS / "webhooks.md", DOCS / "webhook-schemas.json"
_MARK = re.compile(r"<!-- fields: (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def shapes() -> dict[str, type[BaseModel]]:
    """Every published shape by the name that the page uses."""
    return {**EVENT_SHAPES, "reply": ReplyOut, "handoff": HandOffOut}


def schemas() -> str:
    """docs/webhook-schemas.json."""
    found = {name: shape.model_json_schema() for name, shape in shapes().items()}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def page(text: str) -> str:
    """The page with fresh tables of fields behind its markers."""
    return _MARK.sub(
        lambda mark: f"<!-- fields: {mark.group(1)} -->\n\n{table(shapes()[mark.group(1)])}\n<!-- end -->", text
    )


def table(shape: type[BaseModel]) -> str:
    """The fields of a shape as a Markdown table; fields of nested ones as `customer.id`."""
    schema = shape.model_json_schema()
    lines = ["| field | type | must | notes |", "|---|---|---|---|"]
    lines += _rows(schema, schema.get("$defs", {}), "")
    return "\n".join(lines) + "\n"


def _rows(schema: dict[str, Any], known: dict[str, Any], prefix: str) -> list[str]:
    lines = []
    for name, field in schema["properties"].items():
        kind, inner = _kind(field, known)
        must = "yes" if name in schema.get("required", []) else ""
        notes = field.get("description", "")
        if isinstance(field.get("default"), str | int) and field["default"] != "":
            notes = f"{notes}; default {field['default']}".lstrip("; ")
        lines.append(f"| `{prefix}{name}` | {kind} | {must} | {notes} |")
        if inner is not None:
            lines += _rows(inner, known, f"{prefix}{name}.")
    return lines


def _kind(field: dict[str, Any], known: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """A field's type in words, and the object inside it."""
    if "anyOf" in field:
        kinds = [_kind(one, known) for one in field["anyOf"] if one.get("type") != "null"]
        words = dict.fromkeys(kind for kind, _ in kinds)
        return " or ".join(words), next((inner for _, inner in kinds if inner), None)
    if "$ref" in field:
        target = known[field["$ref"].rsplit("/", 1)[-1]]
        if "enum" in target:
            return "one of its list", None
        return "object", target
    if field.get("type") == "array":
        kind, inner = _kind(field["items"], known)
        return f"list of {kind}", inner
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"]), None
    return {"date-time": "time"}.get(field.get("format", ""), str(field.get("type", "any"))), None


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMAS.write_text(schemas(), encoding="utf-8")
