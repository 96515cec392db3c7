"""Bring the database to the newest tables, or back, with the Alembic scripts of the checkout's migrations folder."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from cs_bot.errors import ConfigError
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


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the missing migrations up to `revision`."""
    command.upgrade(_config(database), revision)


def downgrade(database: Database, revision: str) -> None:
    """Undo migrations down to `revision` (`base` = all)."""
    command.downgrade(_config(database), revision)


def state(database: Database) -> tuple[str | None, str | None]:
    """(revision of the database, newest revision of the code)."""
    newest = ScriptDirectory.from_config(_config(database)).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), newest
