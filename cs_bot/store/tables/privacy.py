"""What retention has done, and the proof rows of deleted customers."""

from sqlalchemy import Column, Index, String, Table

from cs_bot.store.tables.columns import Id, Json, UtcTime, id_column, metadata

retention_progress = Table(
    "retention_progress",  # how far each rule has come, so that a round never starts at the beginning
    metadata,
    Column("rule", String(24), primary_key=True),
    Column("done_id", Id, nullable=False),  # every row up to here is done for good
    Column("seen_id", Id, nullable=False),  # this pass has looked at every row up to here; what was live comes again
    Column("due_at", UtcTime, nullable=False),  # the next pass
)

deletions = Table(
    "deletions",  # kept for ever; holds nothing personal
    metadata,
    id_column(),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("customer_id", Id, nullable=False, unique=True),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("external_id_sha256", String(80), nullable=False),  # queries/hashed.py: whoever knows the id can check it
    Column("counts", Json, nullable=False),
    Index("ix_deletions_external_id", "channel", "account", "external_id_sha256"),
)
