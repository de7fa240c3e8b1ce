"""Challenged orders, and what counts while risk is silent (pre: the code needs it)."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_UP = (
    """
    ALTER TABLE orders ADD COLUMN challenge jsonb,
      ADD COLUMN is_default_verdict boolean NOT NULL DEFAULT false,
      ADD COLUMN late_verdict text
    """,
    """
    CREATE INDEX ix_orders_undecided ON orders (paid_at)
      WHERE status = 'paid' AND verdict IS NULL
    """,
    """
    ALTER TABLE channel ADD COLUMN risk_default text NOT NULL DEFAULT 'wait',
      ADD COLUMN risk_wait_seconds integer NOT NULL DEFAULT 30,
      ADD CONSTRAINT ck_channel_risk_default_known
        CHECK (risk_default IN ('wait', 'allow', 'hold')),
      ADD CONSTRAINT ck_channel_risk_wait_bounded
        CHECK (risk_wait_seconds BETWEEN 1 AND 86400)
    """,
)
_DOWN = (
    "ALTER TABLE channel DROP COLUMN risk_default, DROP COLUMN risk_wait_seconds",
    "DROP INDEX ix_orders_undecided",
    """
    ALTER TABLE orders DROP COLUMN challenge, DROP COLUMN is_default_verdict,
      DROP COLUMN late_verdict
    """,
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
