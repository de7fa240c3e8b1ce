"""Search, recommendations, restock notices (pre: the code needs it)."""

from alembic import op

from kit import tenancy

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SEARCH = (
    "DROP INDEX ix_orders_merchant_id_id",
    "CREATE INDEX ix_orders_merchant_id_placed_at_id ON orders (merchant_id, placed_at, id)",
    """
    CREATE INDEX ix_orders_merchant_id_status_placed_at_id
      ON orders (merchant_id, status, placed_at, id)
    """,
    """
    CREATE INDEX ix_orders_merchant_id_paid_at_id ON orders (merchant_id, paid_at, id)
      WHERE paid_at IS NOT NULL
    """,
    """
    CREATE TABLE order_search (
      merchant_id UUID NOT NULL,
      term TEXT NOT NULL,
      placed_at timestamptz NOT NULL,
      order_id UUID NOT NULL,
      CONSTRAINT pk_order_search PRIMARY KEY (merchant_id, term, placed_at, order_id)
    )
    """,
    # Of older orders one hash is known: of the e-mail address, or else of the phone number.
    """
    INSERT INTO order_search (merchant_id, term, placed_at, order_id)
    SELECT merchant_id, 'channel:' || channel_id, placed_at, id FROM orders
    UNION SELECT merchant_id, 'customer:' || customer_id, placed_at, id FROM orders
    UNION SELECT merchant_id, 'contact:' || contact_hash, placed_at, id FROM orders
      WHERE contact_hash IS NOT NULL
    UNION SELECT o.merchant_id, 'sku:' || l.sku, o.placed_at, o.id
      FROM order_line l JOIN orders o ON o.id = l.order_id
    """,
    """
    CREATE TABLE order_export (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      requested_by TEXT NOT NULL,
      filter JSONB NOT NULL,
      has_contacts BOOLEAN NOT NULL,
      orders BIGINT DEFAULT 0 NOT NULL,
      rows BIGINT DEFAULT 0 NOT NULL,
      started_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      finished_at timestamptz,
      CONSTRAINT pk_order_export PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_order_export_merchant_id_id ON order_export (merchant_id, id)",
)


def upgrade() -> None:
    for statement in _SEARCH:
        op.execute(statement)
    for table in ("order_search", "order_export"):
        tenancy.guard(op, table)


def downgrade() -> None:
    for table in ("order_export", "order_search"):
        op.execute(f"DROP TABLE {table}")
    for column in ("paid_at", "status_placed_at", "placed_at"):
        op.execute(f"DROP INDEX ix_orders_merchant_id_{column}_id")
    op.execute("CREATE INDEX ix_orders_merchant_id_id ON orders (merchant_id, id)")
