"""What the books need of an order: the channel's fee, and what becomes of it (pre)."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE channel ADD COLUMN fee_on_refund text NOT NULL DEFAULT 'kept',
      ADD CONSTRAINT ck_channel_fee_on_refund_known CHECK (fee_on_refund IN ('kept', 'returned'))
    """,
    "ALTER TABLE orders ADD COLUMN terms jsonb NOT NULL DEFAULT '{}'::jsonb",
    """
    ALTER TABLE order_line ADD COLUMN fee_minor bigint NOT NULL DEFAULT '0',
      ADD CONSTRAINT ck_order_line_fee_not_negative CHECK (fee_minor >= 0)
    """,
)
DOWN = (
    "ALTER TABLE order_line DROP COLUMN fee_minor",
    "ALTER TABLE orders DROP COLUMN terms",
    "ALTER TABLE channel DROP COLUMN fee_on_refund",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
