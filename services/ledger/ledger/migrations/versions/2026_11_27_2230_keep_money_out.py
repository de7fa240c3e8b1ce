"""Keep what left, for the outgoing lines of statements (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KINDS = "kind IN ('missing_here', 'missing_there', 'amount_differs'"
OUTGOING = ", 'outgoing_missing_here', 'outgoing_missing_there'"
NAME = "ck_reconciliation_case_kind_known"


def upgrade() -> None:
    op.create_table(
        "money_out",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_money_out_amount_positive")),
        sa.CheckConstraint("kind IN ('refund', 'fee')", name=op.f("ck_money_out_kind_known")),
        sa.PrimaryKeyConstraint("event_id", "kind", name=op.f("pk_money_out")),
    )
    op.create_index("ix_money_out_order_id", "money_out", ["order_id"], unique=False)
    op.create_table(
        "money_out_listing",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reconciliation_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "kind", "source", name=op.f("pk_money_out_listing")),
    )
    op.drop_constraint(op.f(NAME), "reconciliation_case", type_="check")
    op.create_check_constraint(op.f(NAME), "reconciliation_case", KINDS + OUTGOING + ")")


def downgrade() -> None:
    op.drop_constraint(op.f(NAME), "reconciliation_case", type_="check")
    op.create_check_constraint(op.f(NAME), "reconciliation_case", KINDS + ")")
    op.drop_table("money_out_listing")
    op.drop_table("money_out")
