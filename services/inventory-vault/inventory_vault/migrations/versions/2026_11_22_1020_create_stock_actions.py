"""Create the log of what was taken off the shelf by hand (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = """
    CREATE TRIGGER stock_action_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_action
    FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('stock_action is append-only')
"""


def upgrade() -> None:
    op.create_table(
        "stock_action",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "acted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "action IN ('quarantine', 'restore', 'void')", name=op.f("ck_stock_action_action")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_action")),
    )
    op.create_index("ix_stock_action_lot_id", "stock_action", ["lot_id", "id"], unique=False)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_table("stock_action")
