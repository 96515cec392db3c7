"""What the gate learns from: blind audits of what was sent, and the calibrations made of them and the judgements."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, text

from cs_bot.store.tables.columns import Id, Json, UtcTime, forgotten_column, id_column, metadata

audits = Table(
    "audits",  # replies sent alone that a person judges without seeing the confidence
    metadata,
    id_column(),
    Column("turn_id", Id, ForeignKey("turns.id"), nullable=False, unique=True),
    Column("decision_id", Id, ForeignKey("decisions.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("route", String(16), nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("rate", Float, nullable=False),  # the part of such replies that is sampled; its weight is 1 / rate
    Column("sampled_at", UtcTime, nullable=False),
    Column("judged_at", UtcTime),
    Column("judged_by", Id, ForeignKey("agents.id")),
    Column("right", Boolean),
    Column("note", String(300), nullable=False, server_default=""),
    forgotten_column(),
    Index("ix_audits_kind_route_judged_at", "kind", "route", "judged_at"),
    Index(
        "ix_audits_waiting",
        "id",
        postgresql_where=text("judged_at is null"),
        sqlite_where=text("judged_at is null"),
    ),
)

calibrations = Table(
    "calibrations",  # each look at the judgements of a kind and route, whether or not it found a threshold
    metadata,
    id_column(),  # the version of its fit
    Column("kind", String(16), nullable=False),
    Column("route", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("policy_version", Integer, nullable=False),  # that it was made under
    Column("judged", Integer, nullable=False),
    Column("data_from", UtcTime),
    Column("data_to", UtcTime),
    Column("why", String(300), nullable=False),  # no threshold was found; empty when one was
    Column("fit", Json),  # records.Fit; null when none was found
    Column("tests", Json, nullable=False),  # every threshold tested, in order
    Index("ix_calibrations_kind_route_id", "kind", "route", "id"),
)
