"""help, migrate, doctor, web, worker: what people see, what is left behind, and the exit codes."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect

from cs_bot.cli.app import app
from cs_bot.settings import child_environment
from cs_bot.store import migrate, tables
from cs_bot.store.database import Database
from cs_bot.testing import SECRET
from tests.commands import ACCOUNT, Done, Run
from tests.services import PostgresServer, RedisServer, free_port

ROOT = Path(__file__).parents[2]
COMMANDS = ["up", "web", "serve", "worker", "migrate", "doctor", "demo", "read", "ask", "replay"]
COMMANDS += ["orders", "orders import", "faq", "faq import", "user", "user add", "user list", "user disable"]
COMMANDS += ["cache", "cache stats", "cache purge", "customer", "customer show", "customer delete", "evaluate"]
COMMANDS += ["catalog", *(f"catalog {name}" for name in ("import", "index", "find", "list", "show"))]
COMMANDS += ["gate", *(f"gate {name}" for name in ("report", "calibrate", "mode", "set", "history"))]
COMMANDS += ["audit", "audit next", "audit judge"]
GROUPS = ("orders", "faq", "user", "cache", "customer", "catalog", "gate", "audit")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(run: Run, command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.code == 0
    assert "Usage: cs-bot" in done.out
    if command not in GROUPS:
        assert f"Example: cs-bot {command}" in done.out


def test_the_list_of_commands_is_whole(run: Run) -> None:
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    names |= {group.name for group in app.registered_groups}
    assert names == {command.split()[0] for command in COMMANDS}
    done = run("--help")
    assert all(name in done.out for name in names if name)
    assert "Exit codes: 0 done, 1 something failed" in " ".join(done.out.split())


def test_the_version_is_printed_alone(run: Run) -> None:
    from cs_bot import __version__

    assert run("--version") == Done(0, f"{__version__}\n", "")


@pytest.mark.parametrize("arguments", [("fly",), ("worker",), ("web", "--port", "many"), ("replay", "x"), ("read",)])
def test_wrong_use_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert done.err


def test_wrong_settings_are_one_line_and_exit_code_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "csbot.toml").write_text("[web]\nprot = 1\n")
    for command in (("user", "list"), ("migrate",), ("ask", "hello"), ("up",)):
        done = run(*command)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "web.prot" in done.err


def test_a_settings_file_that_is_missing_is_exit_code_2(run: Run) -> None:
    done = run("user", "list", "--config", "nowhere.toml")
    assert done.code == 2
    assert "nowhere.toml does not exist" in done.err


# --- serve


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dtype", "int3"), "--dtype: "),
        (("--temperature", "9"), "--temperature: "),
        (("--max-new-tokens", "0"), "--max-new-tokens: "),
        (("--device-map", "abacus"), "--device-map: "),
        (("--host", "0.0.0.0"), "set CSBOT_SERVE__API_KEYS"),
    ],
)
def test_serve_says_what_is_wrong_before_it_loads_anything(run: Run, options: tuple[str, ...], said: str) -> None:
    done = run("serve", *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_serve_says_when_its_port_is_taken(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run("serve", "--port", str(other.getsockname()[1]))
    assert done.code == 2
    assert "CSBOT_SERVE__PORT" in done.err


# --- migrate


def test_migrate_goes_up_and_down_and_up_again(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSBOT_DATABASE_URL")
    up_and_down(run, f"sqlite:///{tmp_path / 'home' / 'cs-bot.db'}")


def test_migrate_does_the_same_on_postgresql(
    run: Run, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres_server.create_database()
    monkeypatch.setenv("CSBOT_DATABASE_URL", address)
    up_and_down(run, address)


def up_and_down(run: Run, address: str) -> None:
    database = Database(address)

    def there() -> int:
        return len(set(inspect(database.engine).get_table_names()) - {"alembic_version"})

    try:
        assert "(was nothing" in run("migrate").out
        whole = there()
        assert whole >= len(tables.metadata.sorted_tables)
        assert run("migrate").code == 0, "a second time changes nothing"
        assert "database at nothing" in run("migrate", "--to", "base").out
        assert there() == 0
        assert run("migrate").code == 0
        assert there() == whole
    finally:
        database.close()


def test_migrate_goes_back_one_step_and_forth_again(run: Run, sqlite_database: Database) -> None:
    newest = migrate.state(sqlite_database)[1]
    before = f"{int(newest) - 1:04d}"
    assert f"database at {before}" in run("migrate", "--to", "-1").out
    assert f"database at {newest}" in run("migrate", "--to", newest).out
    assert "database at 0001" in run("migrate", "--to", "0001").out
    assert f"database at {newest}" in run("migrate").out


def test_migrate_to_a_revision_nobody_knows_is_one_line(run: Run) -> None:
    done = run("migrate", "--to", "nowhere")
    assert done.code == 2
    assert "nowhere" in done.err
    assert done.err.count("\n") == 1


def test_a_database_without_the_newest_tables_says_what_to_do(run: Run) -> None:
    run("migrate", "--to", "0001")
    done = run("user", "list")
    assert done.code == 2
    assert "cs-bot migrate" in done.err


@pytest.mark.parametrize("command", [("migrate",), ("user", "list")])
def test_a_database_that_can_not_be_reached_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CSBOT_DATABASE_URL", f"postgresql+psycopg://cs:{SECRET}@127.0.0.1:{free_port()}/cs")
    done = run(*command)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "database" in done.err


# --- doctor


@pytest.mark.usefixtures("with_account")
def test_doctor_is_content_where_all_is_well(
    run: Run, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CSBOT_REDIS_URL", redis_server.url)
    done = run("doctor")
    assert done.code == 0
    assert "sqlite answers, tables are the newest" in done.out
    assert "Redis answers" in done.out
    assert "account generic/shop is complete" in done.out
    assert "extra [lite] is installed" in done.out
    assert "bad" not in done.out


@pytest.mark.usefixtures("with_account")
def test_doctor_names_every_variable_that_nobody_reads(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSBOT_DATABSE_URL", SECRET)
    monkeypatch.setenv("CSBOT_PORT", "1")
    done = run("doctor")
    assert done.code == 1
    assert "CSBOT_DATABSE_URL is set, but no setting reads it" in done.out
    assert "CSBOT_PORT is set" in done.out


def test_doctor_says_that_no_account_is_there(run: Run) -> None:
    assert "no account is configured" in run("doctor").out


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ('[[accounts]]\nchannel = "generic"\nname = "two"\nsecrets = ["%s"]', "options.reply_url"),
        ('[[accounts]]\nchannel = "pigeon"\nname = "two"\nsecrets = ["%s"]', "known: generic"),
        ('[policy.modes]\n"*/*" = "sometimes" # %s', "policy.modes"),
        ("[web]\nprot = 1 # %s", "web.prot"),
        ('engine = "crystal-ball" # %s', "known: lite"),
    ],
)
def test_doctor_names_what_is_wrong_in_the_settings(run: Run, tmp_path: Path, more: str, word: str) -> None:
    (tmp_path / "csbot.toml").write_text((more % SECRET) + ("" if "accounts" in more else ACCOUNT))
    done = run("doctor")
    assert done.code == 1
    assert word in done.out


@pytest.mark.usefixtures("with_account")
@pytest.mark.parametrize(
    ("name", "address", "word"),
    [
        ("CSBOT_DATABASE_URL", "postgresql+psycopg://cs:{secret}@127.0.0.1:{port}/cs", "database can't be reached"),
        ("CSBOT_DATABASE_URL", "nonsense{secret}", "database"),
        ("CSBOT_REDIS_URL", "redis://:{secret}@127.0.0.1:{port}/0", "Redis can't be reached"),
        ("CSBOT_REDIS_URL", "nonsense{secret}", "CSBOT_REDIS_URL"),
    ],
)
def test_doctor_names_the_server_it_can_not_reach(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, address: str, word: str
) -> None:
    monkeypatch.setenv(name, address.format(secret=SECRET, port=free_port()))
    done = run("doctor")
    assert done.code == 1
    [line] = [line for line in done.out.splitlines() if line.startswith("bad")]
    assert word in line


@pytest.mark.usefixtures("with_account")
def test_doctor_says_when_the_tables_are_old(run: Run) -> None:
    run("migrate", "--to", "0001")
    done = run("doctor")
    assert done.code == 1
    assert "sqlite is at revision 0001" in done.out


def web(folder: Path, *arguments: str) -> tuple[int, str]:
    """`cs-bot web` as a process of its own (it takes the root logger): exit code and the lines for people."""
    command = [sys.executable, "-m", "cs_bot.cli", "web", *arguments]
    env = child_environment(PYTHONPATH=str(ROOT), COLUMNS="200")
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, "".join(line for line in done.stderr.splitlines(True) if not line.startswith("{"))


@pytest.mark.usefixtures("run", "with_account")
def test_web_on_a_port_that_somebody_has_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = web(tmp_path, "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "in use" in said
    assert said.count("\n") == 1


def test_web_without_tables_says_what_to_do(run: Run, tmp_path: Path) -> None:
    run("migrate", "--to", "base")
    code, said = web(tmp_path, "--port", "0")
    assert code == 2
    assert "cs-bot migrate" in said


def test_a_worker_nobody_knows_names_the_known_ones(run: Run) -> None:
    done = run("worker", "sweep")
    assert done.code == 2
    assert "known: fetch, answer, deliver, upkeep" in done.err
