"""Product pictures by their SHA-256: whether a stored picture is the shop's own is asked for each that is to go."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index(op.f("ix_product_pictures_sha256"), "product_pictures", ["sha256"])


def downgrade() -> None:
    op.drop_index(op.f("ix_product_pictures_sha256"), table_name="product_pictures")
