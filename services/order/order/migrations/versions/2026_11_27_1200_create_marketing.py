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

_MARKETING = (
    """
    CREATE TABLE product_pair (
      merchant_id UUID NOT NULL,
      product_id UUID NOT NULL,
      other_id UUID NOT NULL,
      day DATE NOT NULL,
      orders INTEGER NOT NULL,
      CONSTRAINT pk_product_pair PRIMARY KEY (merchant_id, product_id, other_id, day),
      CONSTRAINT ck_product_pair_orders_positive CHECK (orders > 0),
      CONSTRAINT ck_product_pair_two_products CHECK (product_id <> other_id)
    )
    """,
    "CREATE INDEX ix_product_pair_day ON product_pair (day)",
    """
    CREATE TABLE product_pair_due (
      order_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      day DATE DEFAULT CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date) NOT NULL,
      CONSTRAINT pk_product_pair_due PRIMARY KEY (order_id)
    )
    """,
    """
    CREATE TABLE pool_stock (
      pool_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      is_out BOOLEAN NOT NULL,
      units_back BIGINT DEFAULT 0 NOT NULL,
      changed_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      asked_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_pool_stock PRIMARY KEY (pool_id),
      CONSTRAINT ck_pool_stock_units_not_negative CHECK (units_back >= 0),
      CONSTRAINT ck_pool_stock_out_has_no_units CHECK (NOT is_out OR units_back = 0)
    )
    """,
    "CREATE INDEX ix_pool_stock_out ON pool_stock (asked_at) WHERE is_out",
    """
    CREATE TABLE restock_request (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      product_id UUID NOT NULL,
      pool_id UUID NOT NULL,
      sku TEXT NOT NULL,
      customer_id TEXT NOT NULL,
      contact BYTEA,
      locale TEXT DEFAULT '' NOT NULL,
      status TEXT DEFAULT 'waiting' NOT NULL,
      requested_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      due_at timestamptz,
      ended_at timestamptz,
      CONSTRAINT pk_restock_request PRIMARY KEY (id),
      CONSTRAINT ck_restock_request_status_known CHECK (status IN ('waiting', 'due', 'sent',
          'withdrawn', 'lapsed')),
      CONSTRAINT ck_restock_request_contact_while_needed CHECK ((status IN ('waiting', 'due')) =
          (contact IS NOT NULL)),
      CONSTRAINT ck_restock_request_end_has_time CHECK ((status IN ('waiting', 'due')) =
          (ended_at IS NULL))
    )
    """,
    """
    CREATE UNIQUE INDEX uq_restock_request_waiting
      ON restock_request (merchant_id, product_id, customer_id) WHERE status = 'waiting'
    """,
    """
    CREATE INDEX ix_restock_request_next ON restock_request (pool_id, requested_at, id)
      WHERE status = 'waiting'
    """,
    """
    CREATE INDEX ix_restock_request_merchant_id_status_id
      ON restock_request (merchant_id, status, id)
    """,
    """
    CREATE INDEX ix_restock_request_open ON restock_request (requested_at)
      WHERE contact IS NOT NULL
    """,
)


_GUARDED = (
    "order_search",
    "order_export",
    "product_pair",
    "product_pair_due",
    "pool_stock",
    "restock_request",
)


def upgrade() -> None:
    for statement in (*_SEARCH, *_MARKETING):
        op.execute(statement)
    for table in _GUARDED:
        tenancy.guard(op, table)


def downgrade() -> None:
    for table in (
        "restock_request",
        "pool_stock",
        "product_pair_due",
        "product_pair",
        "order_export",
        "order_search",
    ):
        op.execute(f"DROP TABLE {table}")
    for column in ("paid_at", "status_placed_at", "placed_at"):
        op.execute(f"DROP INDEX ix_orders_merchant_id_{column}_id")
    op.execute("CREATE INDEX ix_orders_merchant_id_id ON orders (merchant_id, id)")
