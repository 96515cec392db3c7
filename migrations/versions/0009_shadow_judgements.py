"""The shadow drafts that an agent has answered beside and not judged yet: few, and asked for with every page."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

UNJUDGED = sa.text("""verdict = 'shadow' and "right" is null and forgotten_at is null""")


def upgrade() -> None:
    op.create_index(
        "ix_judgements_unjudged", "judgements", ["agent_id"], postgresql_where=UNJUDGED, sqlite_where=UNJUDGED
    )


def downgrade() -> None:
    op.drop_index("ix_judgements_unjudged", table_name="judgements")
