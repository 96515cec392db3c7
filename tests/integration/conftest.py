"""Fixtures of the tests that run commands."""

import sys
from pathlib import Path

import pytest

from cs_bot import cli
from cs_bot.testing import SECRET
from tests.commands import ACCOUNT, Done, Run


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
