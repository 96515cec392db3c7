"""What retention forgets, and the proof rows of deleted customers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cs_bot.store.tables import UtcTime

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
FORGETFUL = (
    *("events", "messages", "looks", "drafts", "decisions"),
    *("outbound", "reviews", "review_history", "judgements"),
)


def upgrade() -> None:
    for table in FORGETFUL:
        op.add_column(table, sa.Column("forgotten_at", UtcTime(), nullable=True))
    op.create_table(
        "retention_progress",
        sa.Column("rule", sa.String(length=24), nullable=False),
        sa.Column("done_id", ID, nullable=False),
        sa.Column("seen_id", ID, nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_retention_progress")),
    )
    op.create_table(
        "deletions",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=63), nullable=False),
        sa.Column("external_id_sha256", sa.String(length=80), nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletions")),
        sa.UniqueConstraint("customer_id", name=op.f("uq_deletions_customer_id")),
    )
    op.create_index("ix_deletions_external_id", "deletions", ["channel", "account", "external_id_sha256"])


def downgrade() -> None:
    op.drop_index("ix_deletions_external_id", "deletions")
    op.drop_table("deletions")
    op.drop_table("retention_progress")
    for table in reversed(FORGETFUL):
        op.drop_column(table, "forgotten_at")
