"""Payments that a bank refused, each once (pre: the code needs it)."""

from alembic import op

from kit import tenancy

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_UP = """
    CREATE TABLE failed_payment (
      order_id UUID NOT NULL,
      provider TEXT NOT NULL,
      reference TEXT NOT NULL,
      merchant_id UUID NOT NULL,
      told_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_failed_payment PRIMARY KEY (order_id, provider, reference),
      CONSTRAINT fk_failed_payment_order_id_orders FOREIGN KEY (order_id) REFERENCES orders (id)
    )
"""


def upgrade() -> None:
    op.execute(_UP)
    tenancy.guard(op, "failed_payment")


def downgrade() -> None:
    op.execute("DROP TABLE failed_payment")
