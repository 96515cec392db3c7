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


def folders() -> list[str]:
    """Every module and package right under cs_bot, every package below, and the folders beside it."""
    here = ROOT / "cs_bot"
    modules = [path.name for path in here.glob("*.py") if path.stem != "__init__"]
    packages = [f"{path.parent.name}/" for path in here.glob("*/__init__.py")]
    below = [f"{path.parent.name}/" for path in here.glob("*/*/__init__.py")]
    beside = [f"{path.parent.name}/" for path in ROOT.glob("*/*.py") if path.parent.name not in ("cs_bot", "tests")]
    return sorted({*modules, *packages, *below, *beside})


def test_the_picture_of_the_folders_is_complete_and_true() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.partition("## Folders")[2].partition("## ")[0]
    assert [name for name in folders() if not re.search(rf"(?<![\w.]){re.escape(name)}", picture)] == []
    named = set(re.findall(r"(?<![\w.])[a-z_]+(?:/|\.py)(?![\w*])", picture))
    there = {
        path.name + ("/" if path.is_dir() else "") for top in ("cs_bot", "workers") for path in (ROOT / top).rglob("*")
    }
    assert named - there - {f"{path.name}/" for path in ROOT.iterdir()} == set()
    tests = picture.partition("    tests/")[2].strip()
    assert set(tests.split(", ")) == {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
