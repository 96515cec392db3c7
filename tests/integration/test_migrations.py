"""The scripts in migrations/ and the tables in store/tables say the same."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.tables import metadata


def is_search_table(name: str | None, kind: str) -> bool:
    """SQLite keeps a full-text index in tables of its own; PostgreSQL's is over an expression."""
    return kind in ("table", "index") and str(name).startswith("faq_search")


def test_migrations_agree_with_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_name": lambda name, kind, _: not is_search_table(name, kind)},
        )
        assert compare_metadata(context, metadata) == []


def test_migrations_go_down_to_nothing_and_up_again(database: Database) -> None:
    migrate.downgrade(database, "base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    migrate.upgrade(database)
    assert set(metadata.tables) <= set(inspect(database.engine).get_table_names())
    current, newest = migrate.state(database)
    assert current == newest
