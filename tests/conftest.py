"""Fixtures that every tier uses. A server that can't be had skips on a laptop and fails in CI."""

import os
import sqlite3
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from cs_bot.store import migrate
from cs_bot.store.database import Database
from tests import services
from tests.checkpoints import make_checkpoint

for _name in [name for name in os.environ if name.startswith("CSBOT_")]:
    del os.environ[_name]


def missing(what: object) -> None:
    """Skip, saying why; in CI fail."""
    if services.CI:
        pytest.fail(f"CI must have it: {what}")
    pytest.skip(str(what))


def require_qwen() -> None:
    """Skip, or fail in CI, where no checkpoint can be run."""
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            missing(f"{package} is not installed: pip install -c constraints.txt -e '.[qwen]'")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long bars run only when asked for with -m full."""
    if "full" in (config.getoption("-m") or ""):
        return
    for item in items:
        if "full" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="a long bar: make check-full runs it"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[services.PostgresServer]:
    """One real PostgreSQL for the session."""
    try:
        server = services.PostgresServer()
    except services.Missing as problem:
        missing(problem)
        raise
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: services.PostgresServer) -> str:
    """A database with all migrations, copied for each test."""
    address = postgres_server.create_database()
    database = Database(address)
    migrate.upgrade(database)
    database.close()
    return address.rsplit("/", 1)[1]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all migrations, copied for each test."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.close()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite database."""
    source, target = sqlite3.connect(sqlite_template), sqlite3.connect(tmp_path / "test.db")
    source.backup(target)
    source.close()
    target.close()
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database, once on each kind: the store's contract."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    server: services.PostgresServer = request.getfixturevalue("postgres_server")
    return server.create_database(request.getfixturevalue("postgres_template"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database on each kind."""
    db = Database(database_url)
    yield db
    db.close()


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """An open SQLite database, for tests where the kind does not matter."""
    db = Database(sqlite_url)
    yield db
    db.close()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[services.RedisServer]:
    """A real redis-server of the test's own."""
    try:
        services.redis_binary()
    except Exception as problem:
        missing(problem)
    server = services.RedisServer(tmp_path).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def random_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3-VL folder with random weights; don't change it, copy it."""
    require_qwen()
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint") / "random-tiny")
