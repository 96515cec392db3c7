"""Indexes over the few rows that polls and scrapes look for: they stay small when the shop's past grows."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SMALL = (  # name, table, column, condition
    ("ix_conversations_due", "conversations", "due_at", "due_at is not null"),
    ("ix_conversations_leased", "conversations", "lease_until", "lease_until is not null"),
    ("ix_outbound_pending", "outbound", "due_at", "state = 'pending'"),
    ("ix_events_odd", "events", "state", "state <> 'parsed'"),
    ("ix_events_conflicts", "events", "conflicts", "conflicts > 0"),
    ("ix_messages_conflicts", "messages", "conflicts", "conflicts > 0"),
)
WHOLE = (
    ("ix_conversations_due_at", "conversations", "due_at"),
    ("ix_conversations_lease_until", "conversations", "lease_until"),
)


def upgrade() -> None:
    for name, table, column, where in SMALL:
        op.create_index(name, table, [column], postgresql_where=sa.text(where), sqlite_where=sa.text(where))
    for name, table, _ in WHOLE:
        op.drop_index(name, table)


def downgrade() -> None:
    for name, table, column in WHOLE:
        op.create_index(name, table, [column])
    for name, table, _, _ in SMALL:
        op.drop_index(name, table)
