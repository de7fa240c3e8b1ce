"""Payments of which nothing clear is heard wait for somebody (pre: the code needs it)."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_STATES = """
    ALTER TABLE payment_checkout
      DROP CONSTRAINT ck_payment_checkout_state_known,
      ADD CONSTRAINT ck_payment_checkout_state_known CHECK (state IN ({states}))
"""
_BEFORE = "'opening', 'open', 'paid', 'failed', 'closed'"


def upgrade() -> None:
    op.execute(_STATES.format(states=f"{_BEFORE}, 'manual'"))
    op.execute(
        "CREATE INDEX ix_payment_checkout_manual ON payment_checkout (created_at) "
        "WHERE state = 'manual'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_payment_checkout_manual")
    # The release before gave them up.
    op.execute("UPDATE payment_checkout SET state = 'closed' WHERE state = 'manual'")
    op.execute(_STATES.format(states=_BEFORE))
