"""Offers of suppliers, procurement into stock, reconciliation (pre: the code needs it)."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
