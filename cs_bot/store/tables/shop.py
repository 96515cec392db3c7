"""The shop's records: orders, products, FAQ; agents, workers, changes, audit."""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cs_bot.store.tables.columns import Code, Id, Json, Money, UtcTime, id_column, metadata, reference

orders = Table(
    "orders",
    metadata,
    id_column(),
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
    id_column(),
    reference("order_row_id", "orders"),
    Column("position", Integer, nullable=False),
    Column("sku", String(100), nullable=False),
    Column("name", String(500), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", Money),
    UniqueConstraint("order_row_id", "position"),
)

products = Table(
    "products",
    metadata,
    id_column(),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("product_id", String(100), nullable=False),
    Column("body", Json, nullable=False),  # schemas.ProductIn
    Column("active", Boolean, nullable=False),  # False: no longer sold, never found
    Column("grams", Text, nullable=False),  # knowledge/catalog/columns.py builds it; see decision 0004
    Column("grams_version", Integer, nullable=False),  # of the code that built it; `cs-bot catalog index` renews it
    Column("updated_at", UtcTime, nullable=False),
    Column("synced_at", UtcTime, nullable=False),
    UniqueConstraint("channel", "account", "product_id"),
)

product_codes = Table(
    "product_codes",  # what a customer may write instead of a name: product id, SKUs, style numbers
    metadata,
    id_column(),
    reference("product_row_id", "products"),
    Column("code", Code, nullable=False, index=True),  # letters and digits only, upper case
    Column("sku", String(200)),  # the variant of that code; None: the product
)

product_pictures = Table(
    "product_pictures",
    metadata,
    id_column(),
    reference("product_row_id", "products"),
    Column("channel", String(32), nullable=False),
    Column("account", String(63), nullable=False),
    Column("position", Integer, nullable=False),
    Column("url", Text, nullable=False),
    Column("skus", Json, nullable=False),  # the variants that this picture shows; [] = any
    Column("state", String(16), nullable=False),  # waiting | ready | failed
    Column("attempts", Integer, nullable=False, default=0),
    Column("fence", Integer, nullable=False, default=0),
    Column("due_at", UtcTime, index=True),  # None: nothing to do
    Column("lease_until", UtcTime),
    Column("reason", String(300)),  # why the last attempt failed
    Column("sha256", String(64), index=True),
    Column("features_version", Integer),
    Column("indexed_at", UtcTime),
    Column("features", LargeBinary),  # knowledge/likeness; last, so that reading the others does not read it
    Index("ix_product_pictures_index", "channel", "account", "indexed_at", "id"),  # alone says what has changed
)

faq = Table(
    "faq",
    metadata,
    id_column(),
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
    id_column(),
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
    id_column(),
    Column("at", UtcTime, nullable=False, index=True),
    Column("noun", String(24), nullable=False),
    Column("noun_id", Id, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    id_column(),
    Column("at", UtcTime, nullable=False, index=True),
    Column("actor", String(100), nullable=False),
    Column("action", String(60), nullable=False),
    Column("noun", String(24), nullable=False),
    Column("noun_id", String(100), nullable=False),
    Column("detail", Json, nullable=False),
)
