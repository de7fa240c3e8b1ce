"""Which orders wait for their payment (pre: the code needs it).

Those that wait while this is installed are not known; they are over within a day.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KEYS = ("ip", "device", "customer", "contact")
_TABLE = """
    CREATE TABLE open_order (
      order_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      ip_key UUID,
      device_key UUID,
      customer_key UUID,
      contact_key UUID,
      CONSTRAINT pk_open_order PRIMARY KEY (order_id)
    )
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute("CREATE INDEX ix_open_order_at ON open_order (at)")
    for kind in _KEYS:
        op.execute(
            f"CREATE INDEX ix_open_order_{kind}_key ON open_order ({kind}_key)"
            f" WHERE {kind}_key IS NOT NULL"
        )


def downgrade() -> None:
    op.execute("DROP TABLE open_order")
