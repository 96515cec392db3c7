"""Hits of the cache that are computed again later: how often a hit is false is a measured number."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from cs_bot.store.tables.columns import Id, Json, UtcTime, id_column, metadata

cache_checks = Table(
    "cache_checks",
    metadata,
    id_column(),
    Column("picture_sha256", String(64), nullable=False),
    Column("keys", Json, nullable=False),  # of the cache; deleted when the look comes out differently
    Column("look", Json),  # as it was kept; null once checked
    Column("customer_id", Id, ForeignKey("customers.id", ondelete="CASCADE"), index=True),  # of a personal look
    Column("due_at", UtcTime, index=True),  # null once checked
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("result", String(16), index=True),  # same | differs | outdated | failed; null = not checked yet
    Column("differs_in", Json),  # of kind, fields, items
    Column("created_at", UtcTime, nullable=False),
    Column("checked_at", UtcTime),
)
