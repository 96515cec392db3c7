"""python -m workers.health: what a container's health check sees."""

import io
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cs_bot.store.database import Database
from cs_bot.store.queries import workers as seen
from tests.web import running, services_on
from workers import health


def checked(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    return health.main(list(words), out), out.getvalue()


@pytest.fixture
def in_the_shop(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_DATABASE_URL", database_url)


@pytest.mark.usefixtures("in_the_shop")
@pytest.mark.parametrize("queue", health.QUEUES)
def test_a_worker_of_this_machine_must_have_been_seen_lately(database: Database, queue: str) -> None:
    def saw(name: str, ready: bool = True) -> None:
        with database.write() as tx:
            seen.saw(tx, name=name, queue=queue, pid=1, ready=ready)

    assert checked(queue) == (1, f"no {queue} worker of this machine was seen in the last 180 s\n")
    saw(f"{queue}-elsewhere-1-abcdef")
    assert checked(queue)[0] == 1
    database.shift(-200)
    saw(f"{queue}-{socket.gethostname()}-1-abcdef")
    assert checked(queue)[0] == 1
    database.shift(200)
    saw(f"{queue}-{socket.gethostname()}-1-notyet", ready=False)
    assert checked(queue) == (0, ""), "one that loads its engine lives: killing it would begin it all again"
    assert checked("--ready", queue) == (1, f"the {queue} worker is not ready yet\n")
    saw(f"{queue}-{socket.gethostname()}-1-abcdef")
    assert checked(queue) == checked(queue, "--ready") == (0, "")


def test_the_web_process_is_asked(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = services_on(sqlite_database, tmp_path)
    monkeypatch.setenv("CSBOT_WEB__HOST", "0.0.0.0")
    with running(services) as address:
        monkeypatch.setenv("CSBOT_WEB__PORT", address.rsplit(":", 1)[1])
        assert checked("web") == (0, "")
    code, said = checked("web")
    assert (code, said) == (1, "the web process does not answer (ConnectionRefusedError)\n")
    services.close()


def test_a_database_that_is_away_is_not_well_and_no_password_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_DATABASE_URL", "postgresql+psycopg://cs:hidden@127.0.0.1:1/cs")
    code, said = checked("answer")
    assert code == 1
    assert "the database can't take this now" in said
    assert "hidden" not in said


@pytest.mark.parametrize("words", [(), ("nothing",), ("answer", "more"), ("--ready",), ("--help",)])
def test_wrong_use_shows_an_example(words: tuple[str, ...]) -> None:
    code, said = checked(*words)
    assert code == 2
    assert "Example: python -m workers.health answer" in said


def test_it_loads_no_engine_and_no_pipeline() -> None:
    code = "import sys, workers.health; assert not {'cs_bot.pipeline', 'rq', 'numpy', 'fastapi'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
