"""Hits of the cache that are computed again later."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cs_bot.store.tables import UtcTime

revision = "0005"
down_revision = "0004"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.create_table(
        "cache_checks",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("picture_sha256", sa.String(length=64), nullable=False),
        sa.Column("keys", JSON, nullable=False),
        sa.Column("look", JSON, nullable=True),
        sa.Column("customer_id", ID, nullable=True),
        sa.Column("due_at", UtcTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("differs_in", JSON, nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("checked_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_cache_checks_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cache_checks")),
    )
    for column in ("customer_id", "due_at", "result"):
        op.create_index(op.f(f"ix_cache_checks_{column}"), "cache_checks", [column])


def downgrade() -> None:
    op.drop_table("cache_checks")
