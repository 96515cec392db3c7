"""Who may import whom (docs/architecture.md): only downwards, never sideways; and the fences around libraries."""

import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
LAYERS = """
cli
demo
supervisor | web
evaluate | testing
bootstrap
pipeline | upkeep
sender
receive | fetch | see | ground | answer | gate | deliver | review | recheck | calibration | retention
turns | channels
knowledge
vision | cache | claims | signals
images | signatures | jobs | observe | charts
store
settings
schemas
records | errors | masking
"""
# What each library may be imported by; the composition root and the exempt modules are named.
FENCES = {
    "fastapi": ("cs_bot.web",),
    "starlette": ("cs_bot.web",),
    "rq": ("cs_bot.jobs", "workers"),
    "sqlalchemy": ("cs_bot.store", "migrations"),
    "alembic": ("cs_bot.store", "migrations"),
    "rapidocr": ("cs_bot.vision.lite",),
    "onnxruntime": ("cs_bot.vision.lite",),
    "cv2": ("cs_bot.vision.lite", "cs_bot.knowledge.likeness"),
    "torch": ("cs_bot.vision.qwen", "cs_bot.demo"),
    "transformers": ("cs_bot.vision.qwen", "cs_bot.demo"),
    "safetensors": ("cs_bot.vision.qwen", "cs_bot.demo"),
    "tokenizers": ("cs_bot.vision.qwen", "cs_bot.demo"),
    "llguidance": ("cs_bot.vision.qwen",),
    "huggingface_hub": ("cs_bot.vision.qwen",),
    "httpx": ("cs_bot.channels", "cs_bot.images", "cs_bot.vision.openai_server", "cs_bot.demo"),
    "httpcore": ("cs_bot.channels", "cs_bot.images", "cs_bot.vision.openai_server", "cs_bot.demo"),
    "requests": ("cs_bot.channels", "cs_bot.images", "cs_bot.vision.openai_server", "cs_bot.demo"),
    "fsspec": ("cs_bot.store",),
    "playwright": ("cs_bot.demo",),
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("cs_bot", "workers", include_external_packages=True, cache_dir=None)


def rank_of() -> dict[str, tuple[int, int]]:
    """Top-level module -> (layer from the bottom, column)."""
    lines = LAYERS.strip().splitlines()
    return {
        name.strip(): (row, column)
        for row, line in enumerate(reversed(lines))
        for column, name in enumerate(line.split("|"))
    }


def top(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def test_the_layers_are_those_of_the_docs() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = re.search(r"## Who may import whom\n[^\n]*\n[^\n]*\n*((?:    \S.*\n)+)", page)
    assert drawn is not None
    assert [line.strip() for line in drawn[1].strip().splitlines()] == LAYERS.strip().splitlines()


def broken_layers(graph: grimp.ImportGraph) -> list[str]:
    rank, broken = rank_of(), []
    for importer in sorted(m for m in graph.modules if m.startswith("cs_bot.")):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            if not imported.startswith("cs_bot.") or top(importer) == top(imported):
                continue
            here, there = rank[top(importer)], rank[top(imported)]
            if there[0] >= here[0]:
                broken.append(f"{importer} imports {imported}")
    return broken


def test_modules_import_only_downwards(graph: grimp.ImportGraph) -> None:
    unknown = {top(m) for m in graph.modules if m.startswith("cs_bot.")} - set(rank_of())
    assert not unknown, f"no layer for {unknown}: put them into docs/architecture.md and LAYERS"
    assert broken_layers(graph) == []


def test_a_planted_fault_is_seen(graph: grimp.ImportGraph) -> None:
    graph.add_import(importer="cs_bot.see", imported="cs_bot.gate")
    graph.add_import(importer="cs_bot.store.media", imported="cs_bot.turns")
    try:
        assert broken_layers(graph) == ["cs_bot.see imports cs_bot.gate", "cs_bot.store.media imports cs_bot.turns"]
    finally:
        graph.remove_import(importer="cs_bot.see", imported="cs_bot.gate")
        graph.remove_import(importer="cs_bot.store.media", imported="cs_bot.turns")


def test_the_package_never_imports_the_workers(graph: grimp.ImportGraph) -> None:
    guilty = [
        m
        for m in graph.modules
        if m.startswith("cs_bot")
        for i in graph.find_modules_directly_imported_by(m)
        if i.startswith("workers")
    ]
    assert guilty == []


def test_only_the_command_line_knows_the_demo(graph: grimp.ImportGraph) -> None:
    importers = {
        m
        for m in graph.modules
        if not m.startswith(("cs_bot.demo", "cs_bot.cli"))
        for i in graph.find_modules_directly_imported_by(m)
        if i.startswith("cs_bot.demo")
    }
    assert importers == set()


@pytest.mark.parametrize("library", sorted(FENCES))
def test_a_library_stays_behind_its_fence(graph: grimp.ImportGraph, library: str) -> None:
    importers = graph.find_modules_that_directly_import(library) if library in graph.modules else set()
    outside = {m for m in importers if not any(m == f or m.startswith(f"{f}.") for f in FENCES[library])}
    assert outside == set()


def test_only_settings_read_the_environment() -> None:
    allowed = {"cs_bot/settings/loading.py", "cs_bot/supervisor.py", "cs_bot/cli/run.py"}
    guilty = {
        str(path.relative_to(ROOT))
        for folder in ("cs_bot", "workers")
        for path in (ROOT / folder).rglob("*.py")
        if ("os.environ" in path.read_text() or "getenv" in path.read_text()) and "/demo/" not in str(path)
    }
    assert guilty - allowed == set()


@pytest.mark.parametrize("module", ["cs_bot.web.app", "cs_bot.bootstrap", "workers.answer", "cs_bot.cli.app"])
def test_importing_opens_nothing_and_loads_no_engine(module: str) -> None:
    code = (
        f"import sys, threading, {module}; "
        "heavy = {'torch', 'cv2', 'onnxruntime', 'rapidocr', 'transformers', 'huggingface_hub'} & set(sys.modules); "
        "assert not heavy, heavy; assert threading.active_count() == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
