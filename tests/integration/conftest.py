"""Fixtures of the tests that run commands, and of those that ask the web process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cs_bot import bootstrap, cli
from cs_bot.settings import TurnSettings
from cs_bot.store.database import Database
from cs_bot.testing import SECRET
from tests import web
from tests.commands import ACCOUNT, Done, Run


@pytest.fixture
def services(database: Database, tmp_path: Path) -> bootstrap.Services:
    """Services whose turns are due at once."""
    return web.services_on(database, tmp_path, turns=TurnSettings(quiet_s=0, wait_at_most_s=0))


@pytest.fixture
def site(services: bootstrap.Services) -> Iterator[httpx.Client]:
    """A client of the web process over `services`."""
    with web.running(services) as address, web.client(address) as client:
        yield client


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, sqlite_url: str) -> Run:
    """Run a command line in this process, in an empty folder, on a database with all tables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CSBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CSBOT_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # typer puts its own in place

    def go(*arguments: str) -> Done:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["cs-bot", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert SECRET not in said.out + said.err
        return Done(int(ended.value.code or 0), said.out, said.err)

    return go


@pytest.fixture
def with_account(tmp_path: Path) -> None:
    """A csbot.toml with one account in the folder."""
    (tmp_path / "csbot.toml").write_text(ACCOUNT)
