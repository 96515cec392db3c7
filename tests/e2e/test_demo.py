"""`cs-bot demo` as people run it: every story ends as expected, and Ctrl-C leaves nothing behind."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cs_bot.demo.shop import load_shop
from cs_bot.demo.stories import build_scenarios
from cs_bot.settings import child_environment
from tests.services import wait_for

ROOT = Path(__file__).parents[2]
ALL_TOLD_S = 400.0
CHILDREN = 6  # redis, web, fetch, answer, deliver, upkeep

pytestmark = pytest.mark.ocr


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cs_bot.cli", "demo", *arguments]


def environment(folder: Path) -> dict[str, str]:
    """The demo makes its folder under TMPDIR: what it leaves there is seen."""
    temporary = folder / "tmp"
    temporary.mkdir()
    return child_environment(PYTHONPATH=str(ROOT), TMPDIR=str(temporary), PYTHONUNBUFFERED="1", COLUMNS="200")


def left(folder: Path) -> list[str]:
    return [path.name for path in (folder / "tmp").iterdir()]


def told(folder: Path, *arguments: str, **variables: str) -> str:
    """What `cs-bot demo --once` prints, with every story ended as expected and no traceback."""
    done = subprocess.run(
        command("--once", *arguments),
        cwd=folder,
        env=environment(folder) | variables,
        capture_output=True,
        text=True,
        timeout=ALL_TOLD_S,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    assert "Traceback" not in said
    stories = build_scenarios(load_shop())
    assert re.search(rf"{len(stories)} of {len(stories)} stories ended as expected", done.stdout)
    return done.stdout


def test_every_story_ends_as_expected(short_path: Path) -> None:
    said = told(short_path)
    stories = build_scenarios(load_shop())
    assert len(stories) >= 25
    for story in stories:
        assert story.title in said
    assert left(short_path) == [], "its folder is gone"


@pytest.fixture
def running(short_path: Path) -> Iterator[psutil.Popen]:
    """A demo without --once; whatever of it is left at the end is killed."""
    with (short_path / "log.txt").open("wb") as log:
        process = psutil.Popen(command(), cwd=short_path, env=environment(short_path), stdout=log, stderr=log)
    known = [process]
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            known += process.children(recursive=True)
        for one in known:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait(10)


def test_ctrl_c_while_stories_are_told_ends_every_child_within_five_seconds(
    running: psutil.Popen, short_path: Path
) -> None:
    log = short_path / "log.txt"
    wait_for(lambda: "customers write" in log.read_text(), "the first story", 90)
    time.sleep(3)
    children = running.children(recursive=True)
    assert len(children) >= CHILDREN
    assert running.is_running()
    running.send_signal(signal.SIGINT)
    began = time.monotonic()
    code = running.wait(20)
    seconds = time.monotonic() - began
    assert psutil.wait_procs(children, timeout=0)[1] == []
    assert seconds < 5
    assert code == 130
    assert "Traceback" not in log.read_text()
    assert left(short_path) == []
