"""What is said: outbox, reviews, policies, decisions, judgements, and what replay needs."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cs_bot.store.tables.columns import (
    Id,
    Json,
    UtcTime,
    forgotten_column,
    id_column,
    metadata,
    partial_index,
    reference,
)

outbound = Table(
    "outbound",
    metadata,
    id_column(),  # also the order within a conversation
    Column("outbound_id", String(40), nullable=False, unique=True),  # the idempotency key that the platform sees
    reference("conversation_id", "conversations"),
    reference("turn_id", "turns", nullable=True),
    reference("review_id", "reviews", nullable=True),
    Column("origin", String(60), nullable=False),  # turn:12:1 | review:5:3 | handoff:5 ...
    Column("part", Integer, nullable=False, server_default="0"),
    Column("kind", String(16), nullable=False),  # reply | handoff | notice | agent
    Column("text", Text, nullable=False),
    Column("extra", Json, nullable=False),
    Column("facts", Json, nullable=False),  # of a bot reply: {"keys": what to fetch again, "fingerprint", "messages"}
    Column("epoch", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # pending sending sent unknown undetermined failed cancelled
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcTime, nullable=False),
    Column("maybe_sent", Boolean, nullable=False, server_default=text("false")),  # an outcome was unknown once
    Column("send_token", String(32)),
    Column("sending_since", UtcTime),
    Column("provider_id", String(200)),
    Column("detail", String(200)),
    Column("created_at", UtcTime, nullable=False),
    Column("sent_at", UtcTime),
    forgotten_column(),
    UniqueConstraint("conversation_id", "origin", "part"),
    Index(
        "ix_outbound_undelivered",
        "conversation_id",
        "id",
        postgresql_where=text("state in ('pending', 'sending', 'unknown')"),
        sqlite_where=text("state in ('pending', 'sending', 'unknown')"),
    ),
    Index("ix_outbound_sent_at", "sent_at"),
    partial_index("ix_outbound_pending", "due_at", "state = 'pending'"),
)

reviews = Table(
    "reviews",
    metadata,
    id_column(),
    reference("conversation_id", "conversations"),
    reference("draft_id", "drafts", nullable=True),
    reference("decision_id", "decisions", nullable=True),
    Column("state", String(16), nullable=False),  # open | closed
    Column("outcome", String(16)),  # approved | edited | rejected | answered | dismissed | handed_over | revoked
    Column("kind", String(16)),
    Column("reasons", Json, nullable=False),
    Column("suggestion", String(300), nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("claimed_by", Id, ForeignKey("agents.id")),
    Column("claimed_until", UtcTime),
    Column("opened_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    forgotten_column(),
    Index(
        "uq_reviews_one_open",
        "conversation_id",
        unique=True,
        postgresql_where=text("state = 'open'"),
        sqlite_where=text("state = 'open'"),
    ),
    Index("ix_reviews_state_due_at", "state", "due_at"),
)

review_history = Table(
    "review_history",
    metadata,
    id_column(),
    reference("review_id", "reviews"),
    Column("at", UtcTime, nullable=False),
    Column("agent_id", Id, ForeignKey("agents.id")),  # null = the system
    Column("action", String(24), nullable=False),
    Column("detail", Json, nullable=False),
    forgotten_column(),
)

policies = Table(
    "policies",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("note", String(300), nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    id_column(),
    reference("turn_id", "turns"),
    Column("at", UtcTime, nullable=False, index=True),
    Column("policy_version", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("route", String(16), nullable=False),
    Column("body", Json, nullable=False),  # records.Decision with schema version
    forgotten_column(),
)

UNJUDGED = """verdict = 'shadow' and "right" is null and forgotten_at is null"""

judgements = Table(
    "judgements",
    metadata,
    id_column(),
    reference("review_id", "reviews"),
    reference("turn_id", "turns", nullable=True),
    reference("decision_id", "decisions", nullable=True),
    Column("agent_id", Id, ForeignKey("agents.id"), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("distance", Float, nullable=False),
    Column("numbers_changed", Boolean, nullable=False, server_default=text("false")),
    Column("small_edit", Boolean, nullable=False, server_default=text("false")),
    Column("right", Boolean),  # review/judging.py; null: no draft to judge, or a shadow that nobody has judged yet
    Column("counts", Boolean, nullable=False, server_default=text("false")),  # for calibration: an eligible held draft
    Column("kind", String(16)),  # of the decision
    Column("route", String(16)),
    reference("draft_id", "drafts", nullable=True),
    Column("text", Text),
    Column("flags", Json, nullable=False),  # numbers in the text that are in no fact
    Column("policy_version", Integer, nullable=False),
    Column("at", UtcTime, nullable=False, index=True),
    forgotten_column(),
    Index("ix_judgements_counting", "kind", "route", "counts", "id"),
    partial_index("ix_judgements_unjudged", "agent_id", UNJUDGED),
)

looks = Table(
    "looks",
    metadata,
    id_column(),
    reference("turn_id", "turns"),
    Column("picture_sha256", String(64), nullable=False, index=True),
    Column("body", Json, nullable=False),  # records.Look with schema version
    Column("at", UtcTime, nullable=False),
    forgotten_column(),
)

drafts = Table(
    "drafts",
    metadata,
    id_column(),
    reference("turn_id", "turns"),
    Column("round", Integer, nullable=False),
    Column("reading", Json, nullable=False),
    Column("facts", Json, nullable=False),
    Column("draft", Json),  # null: nothing could be said
    Column("at", UtcTime, nullable=False),
    forgotten_column(),
)

stages = Table(
    "stages",  # one row per stage of a turn: the dashboard's and the replay's timings
    metadata,
    id_column(),
    reference("turn_id", "turns"),
    Column("stage", String(16), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String(60), nullable=False),
    Column("at", UtcTime, nullable=False),
)
