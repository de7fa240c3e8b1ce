"""Until when the sold vouchers of a lot were told as expired (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "voucher_watch",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("told_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_voucher_watch")),
    )


def downgrade() -> None:
    op.drop_table("voucher_watch")
