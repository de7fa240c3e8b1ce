"""Create the order service: backbone, merchants, keys, catalogue, orders, their state machine."""

from alembic import op

from kit import backbone

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE merchant (
      id UUID NOT NULL,
      name TEXT NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_merchant PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE channel (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      name TEXT NOT NULL,
      kind TEXT NOT NULL,
      is_trusted BOOLEAN NOT NULL,
      is_active BOOLEAN DEFAULT true NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_channel PRIMARY KEY (id),
      CONSTRAINT fk_channel_merchant_id_merchant FOREIGN KEY(merchant_id) REFERENCES merchant
          (id)
    )
    """,
    """
    CREATE INDEX ix_channel_merchant_id_id ON channel (merchant_id, id)
    """,
    """
    CREATE TABLE issued_key (
      key_id TEXT NOT NULL,
      merchant_id UUID,
      name TEXT NOT NULL,
      mode TEXT NOT NULL,
      created_by TEXT NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_issued_key PRIMARY KEY (key_id),
      CONSTRAINT fk_issued_key_key_id_api_key FOREIGN KEY(key_id) REFERENCES api_key (key_id)
    )
    """,
    """
    CREATE INDEX ix_issued_key_merchant_id_created_at ON issued_key (merchant_id, created_at,
          key_id)
    """,
    """
    CREATE TABLE product (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      sku TEXT NOT NULL,
      name TEXT NOT NULL,
      kind TEXT NOT NULL,
      fulfillment JSONB NOT NULL,
      price_minor BIGINT NOT NULL,
      currency TEXT NOT NULL,
      instructions TEXT DEFAULT '' NOT NULL,
      is_active BOOLEAN DEFAULT true NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_product PRIMARY KEY (id),
      CONSTRAINT uq_product_merchant_id_sku UNIQUE (merchant_id, sku),
      CONSTRAINT ck_product_price_not_negative CHECK (price_minor >= 0),
      CONSTRAINT ck_product_currency_code CHECK (currency ~ '^[A-Z]{3}$'),
      CONSTRAINT fk_product_merchant_id_merchant FOREIGN KEY(merchant_id) REFERENCES merchant
          (id)
    )
    """,
    """
    CREATE INDEX ix_product_merchant_id_id ON product (merchant_id, id)
    """,
    """
    CREATE TABLE orders (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      channel_id UUID NOT NULL,
      reference TEXT NOT NULL,
      status TEXT NOT NULL,
      total_minor BIGINT NOT NULL,
      currency TEXT NOT NULL,
      reservation_id UUID,
      verdict TEXT,
      assessment_id TEXT DEFAULT '' NOT NULL,
      reason TEXT DEFAULT '' NOT NULL,
      customer_id TEXT NOT NULL,
      customer_email TEXT,
      customer_phone TEXT,
      customer_ip TEXT,
      customer_device_id TEXT,
      customer_registered_at timestamptz,
      customer_locale TEXT,
      contact_hash TEXT,
      recipient_public_key BYTEA,
      payment_id UUID,
      payment_via TEXT,
      payment_provider TEXT,
      payment_reference TEXT,
      pay_until timestamptz NOT NULL,
      placed_at timestamptz NOT NULL,
      paid_at timestamptz,
      updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_orders PRIMARY KEY (id),
      CONSTRAINT uq_orders_merchant_id_reference_channel_id UNIQUE (merchant_id, reference,
          channel_id),
      CONSTRAINT ck_orders_status_known CHECK (status IN ('pending_payment', 'paid', 'on_hold',
          'fulfilling', 'completed', 'partially_completed', 'refunding', 'refunded',
          'cancelled', 'expired')),
      CONSTRAINT ck_orders_total_not_negative CHECK (total_minor >= 0),
      CONSTRAINT ck_orders_public_key_size CHECK (octet_length(recipient_public_key) = 32),
      CONSTRAINT ck_orders_paid_has_payment CHECK ((status IN ('pending_payment', 'cancelled',
          'expired')) = (payment_id IS NULL)),
      CONSTRAINT ck_orders_payment_has_time CHECK ((payment_id IS NULL) = (paid_at IS NULL))
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE INDEX ix_orders_merchant_id_id ON orders (merchant_id, id)
    """,
    """
    CREATE INDEX ix_orders_unpaid ON orders (pay_until) WHERE status = 'pending_payment'
    """,
    """
    CREATE TABLE order_line (
      id UUID NOT NULL,
      order_id UUID NOT NULL,
      line_no INTEGER NOT NULL,
      product_id UUID NOT NULL,
      sku TEXT NOT NULL,
      name TEXT NOT NULL,
      kind TEXT NOT NULL,
      pool_id UUID,
      quantity INTEGER NOT NULL,
      unit_price_minor BIGINT NOT NULL,
      total_minor BIGINT NOT NULL,
      currency TEXT NOT NULL,
      instructions TEXT DEFAULT '' NOT NULL,
      inputs JSONB DEFAULT '{}'::jsonb NOT NULL,
      status TEXT DEFAULT 'pending' NOT NULL,
      costs JSONB DEFAULT '[]'::jsonb NOT NULL,
      CONSTRAINT pk_order_line PRIMARY KEY (id),
      CONSTRAINT uq_order_line_order_id_line_no UNIQUE (order_id, line_no),
      CONSTRAINT ck_order_line_quantity_positive CHECK (quantity > 0),
      CONSTRAINT ck_order_line_price_not_negative CHECK (unit_price_minor >= 0 AND total_minor
          >= 0),
      CONSTRAINT ck_order_line_status_known CHECK (status IN ('pending', 'unknown', 'delivered',
          'failed', 'refunded')),
      CONSTRAINT fk_order_line_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
    ) WITH (fillfactor = 80)
    """,
    """
    CREATE TABLE order_delivery (
      id UUID NOT NULL,
      order_id UUID NOT NULL,
      line_id UUID NOT NULL,
      status TEXT NOT NULL,
      url TEXT DEFAULT '' NOT NULL,
      units JSONB DEFAULT '[]'::jsonb NOT NULL,
      reason TEXT DEFAULT '' NOT NULL,
      updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_order_delivery PRIMARY KEY (id)
    )
    """,
    """
    CREATE INDEX ix_order_delivery_order_id ON order_delivery (order_id)
    """,
    """
    CREATE TABLE order_payment (
      id UUID NOT NULL,
      order_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      provider TEXT NOT NULL,
      provider_reference TEXT NOT NULL,
      via TEXT NOT NULL,
      status TEXT DEFAULT 'taken' NOT NULL,
      amount_minor BIGINT NOT NULL,
      currency TEXT NOT NULL,
      paid_at timestamptz NOT NULL,
      CONSTRAINT pk_order_payment PRIMARY KEY (id),
      CONSTRAINT uq_order_payment_merchant_id_provider_provider_reference UNIQUE (merchant_id,
          provider, provider_reference),
      CONSTRAINT ck_order_payment_amount_not_negative CHECK (amount_minor >= 0),
      CONSTRAINT ck_order_payment_status_known CHECK (status IN ('taken')),
      CONSTRAINT fk_order_payment_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
    )
    """,
    """
    CREATE UNIQUE INDEX uq_order_payment_taken ON order_payment (order_id) WHERE status =
          'taken'
    """,
    """
    CREATE TABLE order_refund (
      id UUID NOT NULL,
      order_id UUID NOT NULL,
      line_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      provider TEXT NOT NULL,
      provider_reference TEXT NOT NULL,
      amount_minor BIGINT NOT NULL,
      currency TEXT NOT NULL,
      reason TEXT NOT NULL,
      status TEXT DEFAULT 'due' NOT NULL,
      attempts INTEGER DEFAULT '0' NOT NULL,
      last_error TEXT,
      next_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      done_at timestamptz,
      CONSTRAINT pk_order_refund PRIMARY KEY (id),
      CONSTRAINT uq_order_refund_line_id UNIQUE (line_id),
      CONSTRAINT ck_order_refund_amount_not_negative CHECK (amount_minor >= 0),
      CONSTRAINT ck_order_refund_status_known CHECK (status IN ('due', 'sent', 'done')),
      CONSTRAINT ck_order_refund_done_has_time CHECK ((status = 'done') = (done_at IS NOT NULL))
    )
    """,
    """
    CREATE INDEX ix_order_refund_open ON order_refund (next_at) WHERE status <> 'done'
    """,
    """
    CREATE INDEX ix_order_refund_order_id ON order_refund (order_id)
    """,
    """
    CREATE TABLE order_timeline (
      id BIGINT GENERATED ALWAYS AS IDENTITY (CACHE 1),
      order_id UUID NOT NULL,
      at timestamptz DEFAULT clock_timestamp() NOT NULL,
      kind TEXT NOT NULL,
      summary TEXT NOT NULL,
      cause TEXT NOT NULL,
      details JSONB NOT NULL,
      CONSTRAINT pk_order_timeline PRIMARY KEY (id)
    )
    """,
    """
    CREATE INDEX ix_order_timeline_order_id_id ON order_timeline (order_id, id)
    """,
)

# The state machine of order/orders/domain.py: an illegal move cannot be written down by anybody.
_GUARDS = (
    """
    CREATE FUNCTION orders_transition() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN ('pending_payment', 'paid') THEN
          RAISE EXCEPTION 'an order cannot begin as %', NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_transition';
        END IF;
        RETURN NEW;
      END IF;
      IF NOT (CASE OLD.status
        WHEN 'pending_payment' THEN
          NEW.status IN ('paid', 'on_hold', 'fulfilling', 'cancelled', 'expired')
        WHEN 'paid' THEN NEW.status IN ('on_hold', 'fulfilling', 'refunding')
        WHEN 'on_hold' THEN NEW.status IN ('fulfilling', 'refunding')
        WHEN 'fulfilling' THEN
          NEW.status IN ('completed', 'partially_completed', 'refunding', 'refunded')
        WHEN 'refunding' THEN NEW.status IN ('refunded', 'partially_completed')
        ELSE false
      END) THEN
        RAISE EXCEPTION 'an order that is % cannot become %', OLD.status, NEW.status
          USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_transition';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER orders_begin BEFORE INSERT ON orders
    FOR EACH ROW EXECUTE FUNCTION orders_transition()
    """,
    """
    CREATE TRIGGER orders_transition BEFORE UPDATE ON orders
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION orders_transition()
    """,
    """
    CREATE FUNCTION orders_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'what was agreed when order % was placed or paid does not change', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_fixed';
    END $$
    """,
    """
    CREATE TRIGGER orders_fixed BEFORE UPDATE ON orders FOR EACH ROW
    WHEN (OLD.total_minor <> NEW.total_minor OR OLD.currency <> NEW.currency
      OR OLD.merchant_id <> NEW.merchant_id OR OLD.channel_id <> NEW.channel_id
      OR OLD.reference <> NEW.reference OR OLD.payment_id <> NEW.payment_id)
    EXECUTE FUNCTION orders_fixed()
    """,
    """
    CREATE FUNCTION order_line_transition() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('unknown', 'delivered', 'failed')
        WHEN 'unknown' THEN NEW.status IN ('delivered', 'failed')
        WHEN 'failed' THEN NEW.status = 'refunded'
        ELSE false
      END) THEN
        RAISE EXCEPTION 'a line that is % cannot become %', OLD.status, NEW.status
          USING ERRCODE = 'check_violation', CONSTRAINT = 'order_line_transition';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER order_line_transition BEFORE UPDATE ON order_line
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION order_line_transition()
    """,
)


def upgrade() -> None:
    backbone.create(op)
    for statement in (*_TABLES, *_GUARDS):
        op.execute(statement)


def downgrade() -> None:
    for table in (
        "order_timeline",
        "order_refund",
        "order_payment",
        "order_delivery",
        "order_line",
        "orders",
        "product",
        "issued_key",
        "channel",
        "merchant",
    ):
        op.execute(f"DROP TABLE {table}")
    for function in ("orders_transition", "orders_fixed", "order_line_transition"):
        op.execute(f"DROP FUNCTION {function}()")
    backbone.drop(op)
