"""`cs-bot up` on one machine: everything comes up, what dies comes back, and nothing stays behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from cs_bot.settings import child_environment, load_settings
from cs_bot.supervisor import Child, Supervisor
from cs_bot.testing import SECRET, shop_event, shop_message, sign_webhook
from tests.services import free_port, wait_for

ROOT = Path(__file__).parents[2]
CHILDREN = {"redis", "web", "fetch", "answer", "deliver", "upkeep"}
SOON_S = 45.0

Up = Callable[..., "Running"]


class Running:
    """A `cs-bot up` of the test's own; its output goes to a file."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], port: int) -> None:
        self.port, self.log = port, folder / "log.txt"
        env = child_environment(PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1", COLUMNS="200")
        with self.log.open("wb") as log:
            self.process = psutil.Popen(
                [sys.executable, "-m", "cs_bot.cli", "up", *arguments], cwd=folder, env=env, stdout=log, stderr=log
            )

    def get(self, path: str) -> httpx.Response | None:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=2)
        return None

    def healthy(self) -> bool:
        answer = self.get("/health?deep=1")
        return answer is not None and answer.json()["status"] == "healthy"

    def wait_until_healthy(self) -> None:
        try:
            wait_for(self.healthy, "deep health", SOON_S)
        except TimeoutError:
            last = self.get("/health?deep=1")
            raise AssertionError(f"{last and last.text}\n{self.said()}") from None

    def children(self) -> dict[str, psutil.Process]:
        """The child processes by what they are."""
        found = {}
        for child in self.process.children(recursive=True):
            with suppress(psutil.NoSuchProcess, IndexError):
                what = _what(child.cmdline())
                if what is not None:
                    found[what] = child
        return found

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill_all(self) -> None:
        with suppress(psutil.NoSuchProcess):
            for process in [*self.process.children(recursive=True), self.process]:
                process.kill()
        self.process.wait(10)


def _what(command: list[str]) -> str | None:
    """None for a child that is not yet what it will be: between fork and exec it looks like its parent."""
    if "redis-server" in command[0]:
        return "redis"
    return "web" if "web" in command else next((p.split(".")[1] for p in command if "workers." in p), None)


def settings_file(folder: Path, port: int, more: str = "") -> Path:
    path = folder / "csbot.toml"
    path.write_text(
        f"""
home = "var"
[web]
port = {port}
[turns]
quiet_s = 0.1
[[accounts]]
channel = "generic"
name = "shop"
secrets = ["{SECRET}"]
options = {{ reply_url = "https://shop.invalid/reply" }}
{more}""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Start `cs-bot up` in a folder that has a csbot.toml with one account; all is gone at the end."""
    with ExitStack() as stack:

        def go(*arguments: str, more: str = "") -> Running:
            port = free_port()
            settings_file(tmp_path, port, more)
            running = Running(tmp_path, arguments, port)
            stack.callback(running.kill_all)
            return running

        yield go


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def refused(folder: Path, *arguments: str, **env: str) -> tuple[int, str]:
    """`cs-bot up` that can't start: (exit code, what it said)."""
    given = child_environment(PYTHONPATH=str(ROOT), COLUMNS="200", **env)
    command = [sys.executable, "-m", "cs_bot.cli", "up", *arguments]
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_everything_comes_up_a_killed_child_comes_back_and_sigterm_ends_all(up: Up, tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "__init__.py").write_text("raise SystemExit('a folder of the operator, not ours')")
    running = up()
    running.wait_until_healthy()
    before = running.children()
    assert set(before) == CHILDREN
    assert (tmp_path / "var" / "cs-bot.db").exists(), "home lies in the folder it was started in"
    assert (tmp_path / "var" / "redis.sock").stat().st_mode & 0o077 == 0, "nobody else may ring our bells"
    assert f"http://127.0.0.1:{running.port}/webhooks/generic/shop" in running.said()

    before["answer"].kill()
    before["web"].kill()
    wait_for(lambda: set(running.children()) == CHILDREN, "the killed children", SOON_S)
    running.wait_until_healthy()
    after = running.children()
    assert {name for name in CHILDREN if after[name].pid != before[name].pid} == {"answer", "web"}
    assert re.search(r"answer ended with code -9; starting it again in [01] s", running.said()), "0 after a calm life"

    headers, body = sign_webhook(shop_event("message.created", shop_message("where is my order?")))
    answer = httpx.post(
        f"http://127.0.0.1:{running.port}/webhooks/generic/shop", content=body, headers=headers, trust_env=False
    )
    assert answer.status_code == 200

    everything = [running.process, *after.values()]
    began = time.monotonic()
    running.process.terminate()
    assert running.process.wait(15) == 0
    assert time.monotonic() - began < 5
    assert gone(everything)
    assert "Traceback" not in running.said()


def test_a_supervisor_that_is_killed_takes_all_its_children_with_it(up: Up) -> None:
    running = up()
    running.wait_until_healthy()
    children = list(running.children().values())
    assert len(children) == len(CHILDREN)
    running.process.kill()
    wait_for(lambda: gone(children), "the end of every child", 5)


def test_ctrl_c_reaches_the_supervisor_alone_which_ends_all(up: Up) -> None:
    running = up("--port", "0")
    wait_for(lambda: len(running.children()) == len(CHILDREN), "the children", SOON_S)
    everything = [running.process, *running.children().values()]
    groups = {os.getpgid(process.pid) for process in everything[1:]}
    assert os.getpgid(running.process.pid) not in groups
    assert "http://127.0.0.1:0/" not in running.said(), "it says which port it took"
    running.process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert running.process.wait(15) == 0
    assert time.monotonic() - began < 5
    assert gone(everything)


def test_without_an_account_it_says_so_and_ends(tmp_path: Path) -> None:
    code, said = refused(tmp_path)
    assert code == 2
    assert said.count("\n") == 1
    assert "no account is configured" in said
    assert list(tmp_path.iterdir()) == [], "nothing was made"


def test_a_port_that_somebody_has_is_named_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings_file(tmp_path, port)
        code, said = refused(tmp_path)
    assert code == 2
    assert said.count("\n") == 1
    assert f"127.0.0.1:{port}" in said
    assert "in use" in said
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ('[policy.modes]\n"*/*" = "sometimes"', "policy.modes"),
        ('[[accounts]]\nchannel = "generic"\nname = "two"\nsecrets = ["whsec_short"]', "two"),
        (f'[[accounts]]\nchannel = "generic"\nname = "two"\nsecrets = ["{SECRET}"]', "options.reply_url"),
        (f'[[accounts]]\nchannel = "pigeon"\nname = "two"\nsecrets = ["{SECRET}"]', "known: generic"),
    ],
)
def test_what_would_kill_every_child_is_one_line_instead(tmp_path: Path, more: str, word: str) -> None:
    settings_file(tmp_path, free_port(), more)
    code, said = refused(tmp_path)
    assert code == 2
    assert word in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "address"),
    [("CSBOT_DATABASE_URL", "nonsense"), ("CSBOT_DATABASE_URL", "oracle://x/y"), ("CSBOT_REDIS_URL", "nonsense")],
)
def test_an_address_that_is_none_is_one_line(tmp_path: Path, name: str, address: str) -> None:
    settings_file(tmp_path, free_port())
    code, said = refused(tmp_path, **{name: address})
    assert code == 2
    assert said.count("\n") == 1
    assert said.startswith("cs-bot: ")


def test_a_worker_whose_engine_is_set_up_wrong_does_not_restart_in_circles(up: Up) -> None:
    running = up(more='[engine]\nname = "openai"\n')
    wait_for(lambda: "answer ended" in running.said(), "the end of the answer worker", SOON_S)
    wait_for(lambda: running.get("/health") is not None, "the web process", SOON_S)
    wait_for(lambda: set(running.children()) == CHILDREN - {"answer"}, "the other children", SOON_S)
    time.sleep(3)
    said = running.said()
    assert "answer ended: its settings are wrong (see its line above); the rest runs on, tried again in 60 s" in said
    assert said.count("cs-bot: engine 'openai' needs CSBOT_ENGINE__URL") == said.count("answer ended") == 1
    headers, body = sign_webhook(shop_event("message.created", shop_message("where is my order?")))
    taken = httpx.post(
        f"http://127.0.0.1:{running.port}/webhooks/generic/shop", content=body, headers=headers, trust_env=False
    )
    assert taken.status_code == 200, "messages are stored meanwhile"
    answer = running.get("/health?deep=1")
    assert answer is not None
    assert answer.json()["checks"]["workers"] == "missing: answer"


def test_waits_grow_with_each_failure_and_by_what_went_wrong(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, 8080))

    def waits(code: int, lived_s: float, times: int) -> list[float]:
        boss, child = Supervisor(settings, say=lambda text: None), Child("answer", [])
        return [boss._wait(child, code, child.started_at + lived_s) for _ in range(times)]

    assert waits(1, 1.0, 7) == [1, 2, 4, 8, 16, 30, 30]
    assert waits(1, 100.0, 2) == [0, 0]
    assert waits(2, 1.0, 5) == [60, 120, 240, 480, 600]
    assert waits(69, 100.0, 6) == [15, 30, 60, 120, 240, 300], "loading for minutes and then failing is no calm life"
