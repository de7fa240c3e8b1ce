"""Finds what is open at an account of a supplier (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INDEX = "ix_purchase_merchant_id_supplier_open"


def upgrade() -> None:
    """An account moves only while nothing is open there."""
    op.create_index(
        _INDEX,
        "purchase",
        ["merchant_id", "supplier"],
        postgresql_where=sa.text("settled_at IS NULL AND sends > unsent"),
    )


def downgrade() -> None:
    """Nothing is lost by it."""
    op.drop_index(_INDEX, "purchase")
