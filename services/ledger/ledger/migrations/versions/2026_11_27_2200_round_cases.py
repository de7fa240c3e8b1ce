"""Note what closing a case as rounding posted (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reconciliation_case", sa.Column("transaction_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_reconciliation_case_posted_when_closed"),
        "reconciliation_case",
        "transaction_id IS NULL OR state = 'closed'",
    )


def downgrade() -> None:
    op.drop_constraint(
        op.f("ck_reconciliation_case_posted_when_closed"), "reconciliation_case", type_="check"
    )
    op.drop_column("reconciliation_case", "transaction_id")
