"""Bring the database to the newest tables, or back, with the Alembic scripts of the checkout's migrations folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

from cs_bot.errors import ConfigError, StoreUnavailable
from cs_bot.store.database import Database

FOLDER = Path(__file__).resolve().parents[2] / "migrations"


def _config(database: Database) -> Config:
    if not (FOLDER / "env.py").exists():
        raise ConfigError(f"the folder {FOLDER.name}/ is missing: cs-bot runs from a checkout or the image")
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = database.engine
    return config


@contextmanager
def _our_errors() -> Iterator[None]:
    """ConfigError for a revision that nobody knows, StoreUnavailable when the database can't be reached."""
    try:
        yield
    except CommandError as problem:
        raise ConfigError(str(problem)) from None
    except OperationalError as problem:
        raise StoreUnavailable(f"the database can't be reached ({type(problem.orig).__name__})") from problem


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the missing migrations up to `revision`; raises ConfigError and StoreUnavailable, as all here do."""
    with _our_errors():
        command.upgrade(_config(database), revision)


def downgrade(database: Database, revision: str) -> None:
    """Undo migrations down to `revision` (`base` = all)."""
    with _our_errors():
        command.downgrade(_config(database), revision)


def move(database: Database, revision: str) -> None:
    """Go up or down to `revision`, whichever way it lies."""
    current, _ = state(database)
    scripts = ScriptDirectory.from_config(_config(database))
    with _our_errors():
        passed = {script.revision for script in scripts.iterate_revisions(current or "base", "base")}
        named = scripts.get_revision(revision) if revision[:1] not in "+-" and revision != "base" else None
    down = revision == "base" or revision.startswith("-") or (named is not None and named.revision in passed)
    (downgrade if down else upgrade)(database, revision)


def state(database: Database) -> tuple[str | None, str | None]:
    """(revision of the database, newest revision of the code)."""
    newest = ScriptDirectory.from_config(_config(database)).get_current_head()
    with _our_errors(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), newest
