"""An answer worker that opens its engine: alive and not ready meanwhile; when it fails, one line and an exit code."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cs_bot.settings import child_environment
from cs_bot.store.database import Database
from cs_bot.store.queries import workers as seen
from tests.services import RedisServer, python_process, wait_for, worker_environment

ROOT = Path(__file__).parents[2]
SOON_S = 20.0
# A worker process with an engine of the test's own, which takes its time until a file appears.
PROGRAM = """
import sys, time
from pathlib import Path
from cs_bot.errors import ConfigError, EngineError
from cs_bot.testing import ScriptedVision
from cs_bot.vision.base import ENGINES, EngineEntry

def build(settings):
    Path("opening").touch()
    while not Path("go").exists():
        time.sleep(0.02)
    said = Path("go").read_text()
    if said:
        raise {"wrong": ConfigError("the folder is wrong: copy it again"), "away": EngineError("no network"),
               "fault": RuntimeError("a fault")}[said]
    return ScriptedVision({})

ENGINES["slow"] = EngineEntry("__main__:build", "", writes=False)
from workers import answer, runtime
sys.exit(runtime.run("answer", answer.drain, answer.ready))
"""

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(sqlite_url: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[Start]:
    env = worker_environment(tmp_path, sqlite_url, redis_server, CSBOT_ENGINE="slow")
    with ExitStack() as stack, (tmp_path / "log.txt").open("wb") as log:
        yield lambda: stack.enter_context(python_process("-c", PROGRAM, env=env, stdout=log, stderr=log, cwd=tmp_path))


def rows(database: Database) -> list[tuple[str, bool]]:
    with database.read() as tx:
        return [(row["queue"], row["ready"]) for row in seen.alive(tx, within_s=60)]


def test_it_is_seen_but_not_ready_until_its_engine_is_open(
    start: Start, sqlite_database: Database, tmp_path: Path
) -> None:
    worker = start()
    wait_for((tmp_path / "opening").exists, "an engine being opened", SOON_S)
    wait_for(lambda: rows(sqlite_database) == [("answer", False)], "a sign of life", SOON_S)
    (tmp_path / "go").touch()
    wait_for(lambda: rows(sqlite_database) == [("answer", True)], "readiness", SOON_S)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0


def test_sigterm_ends_it_while_the_engine_is_being_opened(
    start: Start, sqlite_database: Database, tmp_path: Path
) -> None:
    worker = start()
    wait_for(lambda: rows(sqlite_database) == [("answer", False)], "a sign of life", SOON_S)
    wait_for((tmp_path / "opening").exists, "an engine being opened", SOON_S)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(3) == 0
    assert rows(sqlite_database) == []
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("failure", "code", "line"),
    [
        ("wrong", 2, "cs-bot: the folder is wrong: copy it again"),
        ("away", 69, "cs-bot: no network"),
        ("fault", 69, "the engine can't be opened"),
    ],
)
def test_an_engine_that_does_not_open_is_one_line_and_an_exit_code(
    failure: str, code: int, line: str, start: Start, sqlite_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "go").write_text(failure)
    assert start().wait(SOON_S) == code
    said = (tmp_path / "log.txt").read_text()
    assert line in said
    assert ("Traceback" in said or "RuntimeError" in said) is (failure == "fault"), "a fault of ours shows where it is"
    assert rows(sqlite_database) == []


def test_the_real_worker_with_an_engine_that_lacks_a_setting(sqlite_url: str, tmp_path: Path) -> None:
    env = child_environment(
        CSBOT_HOME=str(tmp_path), CSBOT_DATABASE_URL=sqlite_url, CSBOT_ENGINE="openai", PYTHONPATH=str(ROOT)
    )
    done = subprocess.run(
        [sys.executable, "-m", "workers.answer"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("cs-bot: engine 'openai' needs CSBOT_ENGINE__URL")


def qwen(folder: Path, sqlite_url: str, home: Path) -> dict[str, str]:
    return child_environment(
        CSBOT_HOME=str(home),
        CSBOT_DATABASE_URL=sqlite_url,
        CSBOT_ENGINE="qwen",
        CSBOT_ENGINE__CHECKPOINT=str(folder),
        CSBOT_ENGINE__DEVICE_MAP="cpu",
        PYTHONPATH=str(ROOT),
    )


def test_the_real_worker_with_a_wrong_folder_says_so(sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "workers.answer"],
        cwd=tmp_path,
        env=qwen(folder, sqlite_url, tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"cs-bot: CSBOT_ENGINE__CHECKPOINT: {folder} holds no config.json: it is not a checkpoint's folder"
    )
    assert "Traceback" not in done.stderr


def test_the_real_worker_is_ready_once_its_checkpoint_is_loaded(
    random_checkpoint: Path, sqlite_url: str, sqlite_database: Database, tmp_path: Path
) -> None:
    with (
        (tmp_path / "log.txt").open("wb") as log,
        python_process(
            *("-m", "workers.answer"),
            env=qwen(random_checkpoint, sqlite_url, tmp_path),
            stdout=log,
            stderr=log,
            cwd=tmp_path,
        ) as worker,
    ):
        wait_for(lambda: rows(sqlite_database) == [("answer", False)], "a sign of life", SOON_S)
        wait_for(lambda: rows(sqlite_database) == [("answer", True)], "readiness", 120)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
