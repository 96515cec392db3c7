"""The Makefile installs torch only for those who need it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing

ROOT = Path(__file__).parents[2]


def planned(*words: str) -> str:
    """What make would do in a fresh checkout."""
    if shutil.which("make") is None:
        missing("make is not installed")
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "--no-print-directory", *words],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},  # make may run us
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("words", [("demo",), ("up",), ("setup",), ("demo", "ENGINE=lite"), ("types",)])
def test_without_a_network_to_run_no_torch_is_installed(words: tuple[str, ...]) -> None:
    assert "[lite,postgres" in planned(*words)
    assert ".[qwen]" not in planned(*words)


@pytest.mark.parametrize("words", [("demo", "ENGINE=tiny"), ("up", "ENGINE=qwen"), ("test",), ("check",)])
def test_what_runs_a_network_installs_it(words: tuple[str, ...]) -> None:
    assert ".[qwen]" in planned(*words)


def test_the_engine_asked_for_reaches_the_program() -> None:
    assert "CSBOT_ENGINE=qwen .venv/bin/cs-bot up" in planned("up", "ENGINE=qwen")
    assert planned("demo").splitlines()[-1].rstrip() == ".venv/bin/cs-bot demo"
    assert planned("demo", "ENGINE=tiny").splitlines()[-1] == ".venv/bin/cs-bot demo --engine tiny"
