"""What the gate learns from: marks of judgements, blind audits, calibrations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cs_bot.store.tables import UtcTime

revision = "0007"
down_revision = "0006"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WAITING = sa.text("judged_at is null")


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("route", sa.String(length=16), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("data_from", UtcTime(), nullable=True),
        sa.Column("data_to", UtcTime(), nullable=True),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("fit", JSON, nullable=True),
        sa.Column("tests", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
    )
    op.create_index("ix_calibrations_kind_route_id", "calibrations", ["kind", "route", "id"])
    op.create_table(
        "audits",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("decision_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("route", sa.String(length=16), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("sampled_at", UtcTime(), nullable=False),
        sa.Column("judged_at", UtcTime(), nullable=True),
        sa.Column("judged_by", ID, nullable=True),
        sa.Column("right", sa.Boolean(), nullable=True),
        sa.Column("note", sa.String(length=300), server_default="", nullable=False),
        sa.Column("forgotten_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name=op.f("fk_audits_decision_id")),
        sa.ForeignKeyConstraint(["judged_by"], ["agents.id"], name=op.f("fk_audits_judged_by")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_audits_turn_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audits")),
        sa.UniqueConstraint("turn_id", name=op.f("uq_audits_turn_id")),
    )
    op.create_index("ix_audits_kind_route_judged_at", "audits", ["kind", "route", "judged_at"])
    op.create_index("ix_audits_waiting", "audits", ["id"], postgresql_where=WAITING, sqlite_where=WAITING)
    with op.batch_alter_table("judgements") as batch_op:
        batch_op.add_column(sa.Column("numbers_changed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch_op.add_column(sa.Column("small_edit", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch_op.add_column(sa.Column("right", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("counts", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch_op.add_column(sa.Column("kind", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("route", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("draft_id", ID, nullable=True))
        batch_op.create_foreign_key(op.f("fk_judgements_draft_id"), "drafts", ["draft_id"], ["id"])
    op.create_index(op.f("ix_judgements_draft_id"), "judgements", ["draft_id"])
    op.create_index("ix_judgements_counting", "judgements", ["kind", "route", "counts", "id"])


def downgrade() -> None:
    op.drop_index("ix_judgements_counting", table_name="judgements")
    op.drop_index(op.f("ix_judgements_draft_id"), table_name="judgements")
    with op.batch_alter_table("judgements") as batch_op:
        batch_op.drop_constraint(op.f("fk_judgements_draft_id"), type_="foreignkey")
        for name in ("draft_id", "route", "kind", "counts", "right", "small_edit", "numbers_changed"):
            batch_op.drop_column(name)
    op.drop_table("audits")
    op.drop_table("calibrations")
