"""Alembic's entry: runs the scripts on the engine that cs_bot.store.migrate hands over."""

from alembic import context

from cs_bot.store.tables import metadata

engine = context.config.attributes["engine"]

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
