"""The docs say what the code does."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from cs_bot.channels.base import CHANNELS
from cs_bot.cli.app import app
from cs_bot.vision.base import ENGINES
from tests.repo.docs import PARTS, ROOT, env_example, with_parts

PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")])


@pytest.mark.parametrize("path", sorted(PARTS))
def test_generated_parts_are_fresh(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == with_parts(path), "run: python -m tests.repo.docs"


def test_the_example_environment_names_every_setting() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example(), "run: python -m tests.repo.docs"


def commands() -> list[str]:
    """Every command as it is typed."""
    found = []
    for name, command in sorted(get_command(app).commands.items()):  # type: ignore[attr-defined]
        found += [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_docs(command: str) -> None:
    assert f"cs-bot {command}" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", commands())
def test_every_command_shows_an_example(command: str) -> None:
    found = get_command(app)
    for part in command.split():
        found = found.commands[part]  # type: ignore[attr-defined]
    assert "Example: cs-bot" in (found.epilog or ""), command


@pytest.mark.parametrize("name", [*CHANNELS, *ENGINES])
def test_every_plug_in_is_in_the_docs(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_pages_name_no_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/work/|/root/|/tmp/", page.read_text(encoding="utf-8")), page.name
