"""Who writes what: events, customers, conversations, messages, pictures, turns."""

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cs_bot.store.tables.columns import Json, UtcTime, forgotten_column, id_column, metadata, partial_index, reference

events = Table(
    "events",  # raw webhook deliveries, kept until retention
    metadata,
    id_column(),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("external_id", String(200), nullable=False),  # the delivery's id; once forgotten its hash
    Column("received_at", UtcTime, nullable=False, index=True),
    Column("body", LargeBinary),  # null once retention has passed
    Column("body_sha256", String(64), nullable=False),
    Column("type", String(64)),
    Column("state", String(16), nullable=False),  # parsed | unparsed | not_json
    Column("problem", String(300)),
    Column("conflicts", Integer, nullable=False, server_default="0"),  # same id, other body: first kept
    forgotten_column(),
    UniqueConstraint("channel", "account", "external_id"),
    partial_index("ix_events_odd", "state", "state <> 'parsed'"),
    partial_index("ix_events_conflicts", "conflicts", "conflicts > 0"),
)

accounts_seen = Table(
    "accounts_seen",
    metadata,
    Column("channel", String(32), primary_key=True),
    Column("account", String(63), primary_key=True),
    Column("first_seen_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
    Column("send_failures", Integer, nullable=False, server_default="0"),  # in a row: the breaker
    Column("paused_until", UtcTime),
)

customers = Table(
    "customers",
    metadata,
    id_column(),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("external_id", String(200), nullable=False),
    Column("name", String(200)),
    Column("emails", Json, nullable=False),  # normalised; only from signed events or imports
    Column("phones", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("channel", "account", "external_id"),
)

conversations = Table(
    "conversations",
    metadata,
    id_column(),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("external_id", String(200), nullable=False),
    Column("next_seq", Integer, nullable=False, server_default="1"),
    Column("due_at", UtcTime),  # null = nothing to answer
    Column("burst_started_at", UtcTime),  # first unanswered message of the burst that waits
    Column("lease_until", UtcTime),  # null = released in order; in the past = lost
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("owner", String(16), nullable=False, server_default="bot"),
    Column("owner_changed_at", UtcTime),  # by the platform's clock: an older event never wins
    Column("epoch", Integer, nullable=False, server_default="0"),  # moves when the owner changes
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("channel", "account", "external_id"),
    partial_index("ix_conversations_due", "due_at", "due_at is not null"),
    partial_index("ix_conversations_leased", "lease_until", "lease_until is not null"),
)

messages = Table(
    "messages",  # the ledger: every inbound message ends in exactly one state
    metadata,
    id_column(),
    reference("conversation_id", "conversations"),
    reference("customer_id", "customers"),
    reference("event_id", "events"),
    reference("turn_id", "turns", nullable=True),
    reference("review_id", "reviews", nullable=True),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("external_id", String(200), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("sender", String(16), nullable=False),  # customer | agent | bot
    Column("text", Text, nullable=False),
    Column("sent_at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Column("body_sha256", String(64), nullable=False),
    Column("conflicts", Integer, nullable=False, server_default="0"),
    Column("end", String(16)),  # records.End; null = not ended yet
    Column("end_reason", String(40)),
    Column("ended_at", UtcTime),
    forgotten_column(),
    UniqueConstraint("channel", "account", "external_id"),
    UniqueConstraint("conversation_id", "seq"),
    partial_index("ix_messages_open", "conversation_id", '"end" is null'),
    Index("ix_messages_received_at", "received_at"),
    partial_index("ix_messages_conflicts", "conflicts", "conflicts > 0"),
)

revocations = Table(
    "revocations",  # a revoke may arrive before its message
    metadata,
    Column("channel", String(32), primary_key=True),
    Column("account", String(63), primary_key=True),
    Column("external_id", String(200), primary_key=True),
    Column("revoked_at", UtcTime, nullable=False),
)

pictures = Table(
    "pictures",  # one row per distinct original, by the SHA-256 of its bytes
    metadata,
    id_column(),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("pixels_sha256", String(64), nullable=False, index=True),
    Column("format", String(8), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", Integer, nullable=False),  # bytes of the original
    Column("tags", Json, nullable=False),
    Column("stored_at", UtcTime, nullable=False),
)

picture_uses = Table(
    "picture_uses",  # one row per picture of a message, with its fetch state
    metadata,
    id_column(),
    reference("message_id", "messages"),
    reference("picture_id", "pictures", nullable=True),
    Column("position", Integer, nullable=False),
    Column("source", Text),  # address or data URL; emptied once fetched or given up
    Column("state", String(16), nullable=False),
    Column("failure", String(40)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcTime),
    Column("lease_until", UtcTime),
    Column("fence", Integer, nullable=False, server_default="0"),
    UniqueConstraint("message_id", "position"),
    Index("ix_picture_uses_due", "due_at"),
)

turns = Table(
    "turns",
    metadata,
    id_column(),
    reference("conversation_id", "conversations"),
    Column("origin", String(16), nullable=False),  # customer | redraft | playground
    Column("state", String(16), nullable=False),  # working | finished
    Column("first_seq", Integer, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("restarts", Integer, nullable=False, server_default="0"),
    Column("round", Integer, nullable=False, server_default="1"),  # moves when an unsent draft is dropped
    Column("failed", String(60)),  # error class of the last attempt; the next claim counts it
    Column("started_at", UtcTime, nullable=False),
    Column("deadline_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("kind", String(16)),
    Column("route", String(16)),
    Column("outcome", String(16)),  # send | review | revoked | ignored
    Index(
        "uq_turns_one_working",
        "conversation_id",
        unique=True,
        postgresql_where=text("state = 'working'"),
        sqlite_where=text("state = 'working'"),
    ),
)
