"""The catalog's search: bigrams over FTS5 or GIN, codes, product pictures. `cs-bot catalog index` fills old rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cs_bot.store.tables.columns import UtcTime

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
CODE = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")

SQLITE = (
    "CREATE VIRTUAL TABLE product_search USING fts5"
    "(grams, content='products', content_rowid='id', tokenize='unicode61 remove_diacritics 0')",
    "CREATE TRIGGER product_search_insert AFTER INSERT ON products BEGIN"
    " INSERT INTO product_search(rowid, grams) VALUES (new.id, new.grams); END",
    "CREATE TRIGGER product_search_delete AFTER DELETE ON products BEGIN"
    " INSERT INTO product_search(product_search, rowid, grams) VALUES ('delete', old.id, old.grams); END",
    "CREATE TRIGGER product_search_update AFTER UPDATE OF grams ON products BEGIN"
    " INSERT INTO product_search(product_search, rowid, grams) VALUES ('delete', old.id, old.grams);"
    " INSERT INTO product_search(rowid, grams) VALUES (new.id, new.grams); END",
    "INSERT INTO product_search(product_search) VALUES ('rebuild')",
)


def upgrade() -> None:
    with op.batch_alter_table("products") as batch_op:
        batch_op.add_column(sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("grams", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("grams_version", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("products") as batch_op:
        for name in ("active", "grams", "grams_version"):
            batch_op.alter_column(name, server_default=None)
    op.create_table(
        "product_codes",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("product_row_id", ID, nullable=False),
        sa.Column("code", CODE, nullable=False),
        sa.Column("sku", sa.String(200)),
        sa.ForeignKeyConstraint(["product_row_id"], ["products.id"], name=op.f("fk_product_codes_product_row_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_codes")),
    )
    op.create_index(op.f("ix_product_codes_product_row_id"), "product_codes", ["product_row_id"])
    op.create_index(op.f("ix_product_codes_code"), "product_codes", ["code"])
    op.create_table(
        "product_pictures",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("product_row_id", ID, nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("account", sa.String(63), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("skus", JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcTime()),
        sa.Column("lease_until", UtcTime()),
        sa.Column("reason", sa.String(300)),
        sa.Column("sha256", sa.String(64)),
        sa.Column("features_version", sa.Integer()),
        sa.Column("indexed_at", UtcTime()),
        sa.Column("features", sa.LargeBinary()),
        sa.ForeignKeyConstraint(["product_row_id"], ["products.id"], name=op.f("fk_product_pictures_product_row_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_pictures")),
    )
    op.create_index(op.f("ix_product_pictures_product_row_id"), "product_pictures", ["product_row_id"])
    op.create_index(op.f("ix_product_pictures_due_at"), "product_pictures", ["due_at"])
    op.create_index("ix_product_pictures_index", "product_pictures", ["channel", "account", "indexed_at", "id"])
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE:
            op.execute(statement)
    else:
        op.execute("CREATE INDEX product_search_grams ON products USING gin (to_tsvector('simple', grams))")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER product_search_{name}")
        op.execute("DROP TABLE product_search")
    else:
        op.execute("DROP INDEX product_search_grams")
    op.drop_table("product_pictures")
    op.drop_table("product_codes")
    with op.batch_alter_table("products") as batch_op:
        for name in ("grams_version", "grams", "active"):
            batch_op.drop_column(name)
