"""The choice a purchase came of (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("purchase", sa.Column("choice", JSONB()))


def downgrade() -> None:
    op.drop_column("purchase", "choice")
