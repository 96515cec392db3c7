"""Every table. Times are UTC, money is exact, ids are integers; what crosses a process boundary has a text id."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite stores it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse naive times; SQLite gets them without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(TypeDecorator[Any]):
    """Decimal with four places; SQLite has no exact number, so it stores text."""

    impl = Numeric(18, 4)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Text on SQLite."""
        return dialect.type_descriptor(String(32) if dialect.name == "sqlite" else Numeric(18, 4))

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        """Decimal to text on SQLite."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """Always Decimal, without trailing zeros of storage."""
        from decimal import Decimal

        if value is None:
            return None
        number = Decimal(value)
        return number.quantize(Decimal("0.01")) if number == number.quantize(Decimal("0.01")) else number


Id = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(JSONB, "postgresql")


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=nullable, index=True)


events = Table(
    "events",  # raw webhook deliveries, kept until retention
    metadata,
    _id(),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("external_id", String(200), nullable=False),  # the delivery's id
    Column("received_at", UtcTime, nullable=False, index=True),
    Column("body", LargeBinary),  # null once retention has passed
    Column("body_sha256", String(64), nullable=False),
    Column("type", String(64)),
    Column("state", String(16), nullable=False),  # parsed | unparsed | not_json
    Column("problem", String(300)),
    Column("conflicts", Integer, nullable=False, server_default="0"),  # same id, other body: first kept
    UniqueConstraint("channel", "account", "external_id"),
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
    _id(),
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
    _id(),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("external_id", String(200), nullable=False),
    Column("next_seq", Integer, nullable=False, server_default="1"),
    Column("due_at", UtcTime, index=True),  # null = nothing to answer
    Column("burst_started_at", UtcTime),  # first unanswered message of the burst that waits
    Column("lease_until", UtcTime, index=True),  # null = released in order; in the past = lost
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("owner", String(16), nullable=False, server_default="bot"),
    Column("owner_changed_at", UtcTime),  # by the platform's clock: an older event never wins
    Column("epoch", Integer, nullable=False, server_default="0"),  # moves when the owner changes
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("channel", "account", "external_id"),
)

messages = Table(
    "messages",  # the ledger: every inbound message ends in exactly one state
    metadata,
    _id(),
    _ref("conversation_id", "conversations"),
    _ref("customer_id", "customers"),
    _ref("event_id", "events"),
    _ref("turn_id", "turns", nullable=True),
    _ref("review_id", "reviews", nullable=True),
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
    UniqueConstraint("channel", "account", "external_id"),
    UniqueConstraint("conversation_id", "seq"),
    Index(
        "ix_messages_open",
        "conversation_id",
        postgresql_where=text('"end" is null'),
        sqlite_where=text('"end" is null'),
    ),
    Index("ix_messages_received_at", "received_at"),
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
    _id(),
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
    _id(),
    _ref("message_id", "messages"),
    _ref("picture_id", "pictures", nullable=True),
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
    _id(),
    _ref("conversation_id", "conversations"),
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

outbound = Table(
    "outbound",
    metadata,
    _id(),  # also the order within a conversation
    Column("outbound_id", String(40), nullable=False, unique=True),  # the idempotency key that the platform sees
    _ref("conversation_id", "conversations"),
    _ref("turn_id", "turns", nullable=True),
    _ref("review_id", "reviews", nullable=True),
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
    UniqueConstraint("conversation_id", "origin", "part"),
    Index(
        "ix_outbound_undelivered",
        "conversation_id",
        "id",
        postgresql_where=text("state in ('pending', 'sending', 'unknown')"),
        sqlite_where=text("state in ('pending', 'sending', 'unknown')"),
    ),
    Index("ix_outbound_sent_at", "sent_at"),
)

reviews = Table(
    "reviews",
    metadata,
    _id(),
    _ref("conversation_id", "conversations"),
    _ref("draft_id", "drafts", nullable=True),
    _ref("decision_id", "decisions", nullable=True),
    Column("state", String(16), nullable=False),  # open | closed
    Column("outcome", String(16)),  # approved | edited | rejected | dismissed | handed_over | revoked
    Column("kind", String(16)),
    Column("reasons", Json, nullable=False),
    Column("suggestion", String(300), nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("claimed_by", Id, ForeignKey("agents.id")),
    Column("claimed_until", UtcTime),
    Column("opened_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
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
    _id(),
    _ref("review_id", "reviews"),
    Column("at", UtcTime, nullable=False),
    Column("agent_id", Id, ForeignKey("agents.id")),  # null = the system
    Column("action", String(24), nullable=False),
    Column("detail", Json, nullable=False),
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
    _id(),
    _ref("turn_id", "turns"),
    Column("at", UtcTime, nullable=False, index=True),
    Column("policy_version", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("route", String(16), nullable=False),
    Column("body", Json, nullable=False),  # records.Decision with schema version
)

judgements = Table(
    "judgements",
    metadata,
    _id(),
    _ref("review_id", "reviews"),
    _ref("turn_id", "turns", nullable=True),
    _ref("decision_id", "decisions", nullable=True),
    Column("agent_id", Id, ForeignKey("agents.id"), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("distance", Float, nullable=False),
    Column("text", Text),
    Column("flags", Json, nullable=False),  # numbers in the text that are in no fact
    Column("policy_version", Integer, nullable=False),
    Column("at", UtcTime, nullable=False, index=True),
)

looks = Table(
    "looks",
    metadata,
    _id(),
    _ref("turn_id", "turns"),
    Column("picture_sha256", String(64), nullable=False, index=True),
    Column("body", Json, nullable=False),  # records.Look with schema version
    Column("at", UtcTime, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    _id(),
    _ref("turn_id", "turns"),
    Column("round", Integer, nullable=False),
    Column("reading", Json, nullable=False),
    Column("facts", Json, nullable=False),
    Column("draft", Json),  # null: nothing could be said
    Column("at", UtcTime, nullable=False),
)

stages = Table(
    "stages",  # one row per stage of a turn: the dashboard's and the replay's timings
    metadata,
    _id(),
    _ref("turn_id", "turns"),
    Column("stage", String(16), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String(60), nullable=False),
    Column("at", UtcTime, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    _id(),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("order_id", String(64), nullable=False),
    Column("lookup_id", String(64), nullable=False, index=True),  # without separators, upper case
    Column("customer_external_id", String(200)),
    Column("email", String(200)),
    Column("phone", String(40)),
    Column("status", String(24), nullable=False),
    Column("amount", Money, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("ordered_at", UtcTime, nullable=False),
    Column("paid_at", UtcTime),
    Column("shipped_at", UtcTime),
    Column("delivered_at", UtcTime),
    Column("ship_by", UtcTime),
    Column("carrier", String(100)),
    Column("tracking_no", String(100)),
    Column("updated_at", UtcTime, nullable=False),
    Column("synced_at", UtcTime, nullable=False),
    UniqueConstraint("channel", "account", "order_id"),
)

order_lines = Table(
    "order_lines",
    metadata,
    _id(),
    _ref("order_row_id", "orders"),
    Column("position", Integer, nullable=False),
    Column("sku", String(100), nullable=False),
    Column("name", String(500), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", Money),
    UniqueConstraint("order_row_id", "position"),
)

products = Table(
    "products",  # the catalog; searched in a later part
    metadata,
    _id(),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("product_id", String(100), nullable=False),
    Column("body", Json, nullable=False),  # schemas.ProductUpserted
    Column("updated_at", UtcTime, nullable=False),
    Column("synced_at", UtcTime, nullable=False),
    UniqueConstraint("channel", "account", "product_id"),
)

faq = Table(
    "faq",
    metadata,
    _id(),
    Column("faq_id", String(100), nullable=False),
    Column("language", String(12), nullable=False),
    Column("question", Text, nullable=False),
    Column("variants", Json, nullable=False),
    Column("answer", Text, nullable=False),
    Column("grams", Text, nullable=False),  # knowledge/words.py builds it; see decision 0004
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("faq_id", "language"),
)

agents = Table(
    "agents",
    metadata,
    _id(),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(16), nullable=False),  # agent | supervisor | admin
    Column("token_sha256", String(64), nullable=False, unique=True),  # of a 256-bit random token
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
)

workers_seen = Table(
    "workers_seen",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("queue", String(32), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("ready", Boolean, nullable=False),
)

changes = Table(
    "changes",  # written in the same transaction; web processes tail it
    metadata,
    _id(),
    Column("at", UtcTime, nullable=False, index=True),
    Column("noun", String(24), nullable=False),
    Column("noun_id", Id, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", UtcTime, nullable=False, index=True),
    Column("actor", String(100), nullable=False),
    Column("action", String(60), nullable=False),
    Column("noun", String(24), nullable=False),
    Column("noun_id", String(100), nullable=False),
    Column("detail", Json, nullable=False),
)
