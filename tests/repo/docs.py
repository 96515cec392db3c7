"""Writes the generated parts of the docs: `python -m tests.repo.docs`; test_docs.py says when they are out of step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cs_bot.records import Policy
from cs_bot.settings import PREFIX, AccountSettings, Section, Settings

ROOT = Path(__file__).parents[2]


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """(prefix, fields) of the settings that are set by variables."""
    yield "", Settings
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield f"{name}__", field.annotation


def default(field: FieldInfo) -> str:
    """A default as it is written in the environment."""
    value: Any = field.default
    if value is PydanticUndefined:
        return ""
    return "" if value is None or value == () else str(value)


def variables() -> Iterator[tuple[str, FieldInfo]]:
    """Every variable with its field."""
    for prefix, fields in sections():
        for name, field in fields.model_fields.items():
            if not prefix and isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                continue
            yield f"{PREFIX}{prefix}{name}".upper(), field


def settings_table() -> str:
    """Every variable, its default and what it is."""
    rows = [f"| `{name}` | {f'`{default(f)}`' if default(f) else ''} | {_cell(f)} |" for name, f in variables()]
    head = ["| variable | default | what it is |", "| --- | --- | --- |"]
    first = "| `CSBOT_CONFIG` | `csbot.toml` when it exists | path of the settings file |"
    return "\n".join([*head, first, *rows])


def _cell(field: FieldInfo) -> str:
    return str(field.description).replace("|", r"\|")


def account_table() -> str:
    """The keys of one account."""
    rows = [
        f"| `{name}` | {f'`{default(field)}`' if default(field) else ''} | {field.description} |"
        for name, field in AccountSettings.model_fields.items()
    ]
    return "\n".join(["| key | default | what it is |", "| --- | --- | --- |", *rows])


def policy_table() -> str:
    """The numbers of the policy."""
    first = Policy()
    written_by_the_gate = ("shares", "fits", "steps", "evidence", "starts")
    numbers = [name for name in Policy.model_fields if name not in ("version", "modes", *written_by_the_gate)]
    rows = [f"| `{name}` | `{getattr(first, name)}` |" for name in numbers]
    modes = ", ".join(f"{key} = {mode}" for key, mode in first.modes.items())
    return "\n".join(["| key | first value |", "| --- | --- |", f"| `modes` | {modes} |", *rows])


def env_example() -> str:
    """The text of .env.example."""
    lines = ["# Read by docker compose (env_file); cs-bot itself reads its environment and csbot.toml, not this file."]
    lines.append("# Copy what you need; everything has a default. docs/configuration.md says more.")
    lines.append("# CSBOT_CONFIG=csbot.toml")
    for name, field in variables():
        lines += [f"# {field.description}", f"# {name}={default(field)}"]
    return "\n".join(lines) + "\n"


PARTS = {
    "docs/configuration.md": {"settings": settings_table, "account": account_table, "policy": policy_table},
}


def with_parts(path: str) -> str:
    """A page with its generated parts fresh."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, make in PARTS[path].items():
        head, tail = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, rest = text.split(head, 1)
        text = before + head + make() + "\n" + tail + rest.split(tail, 1)[1]
    return text


def write() -> None:
    """Write all generated parts."""
    for path in PARTS:
        (ROOT / path).write_text(with_parts(path), encoding="utf-8")
    (ROOT / ".env.example").write_text(env_example(), encoding="utf-8")


__all__ = ["PARTS", "ROOT", "env_example", "variables", "with_parts", "write"]

if __name__ == "__main__":
    write()
