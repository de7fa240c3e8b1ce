"""Every way money may come and go back: states of payments, refunds by part, counted sums."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    """
    ALTER TABLE orders
      ADD COLUMN parts JSONB DEFAULT '[]'::jsonb NOT NULL,
      ADD COLUMN surplus_minor BIGINT DEFAULT '0' NOT NULL,
      ADD COLUMN returned_minor BIGINT DEFAULT '0' NOT NULL,
      ADD COLUMN is_closed BOOLEAN DEFAULT false NOT NULL,
      ADD CONSTRAINT ck_orders_returned_came
        CHECK (returned_minor BETWEEN 0 AND surplus_minor)
    """,
    """
    ALTER TABLE order_line
      ADD COLUMN refund_minor BIGINT DEFAULT '0' NOT NULL,
      ADD COLUMN refunded_minor BIGINT DEFAULT '0' NOT NULL,
      ADD CONSTRAINT ck_order_line_refund_was_paid
        CHECK (refund_minor BETWEEN 0 AND total_minor),
      ADD CONSTRAINT ck_order_line_refunded_was_due
        CHECK (refunded_minor BETWEEN 0 AND refund_minor)
    """,
    """
    ALTER TABLE order_payment
      DROP CONSTRAINT ck_order_payment_status_known,
      ADD COLUMN applied_minor BIGINT DEFAULT '0' NOT NULL,
      ADD COLUMN back_minor BIGINT DEFAULT '0' NOT NULL,
      ADD COLUMN closes_order BOOLEAN DEFAULT false NOT NULL,
      ADD CONSTRAINT ck_order_payment_status_known
        CHECK (status IN ('taken', 'partial', 'surplus', 'returning', 'returned'))
    """,
    """
    ALTER TABLE order_refund
      DROP CONSTRAINT uq_order_refund_line_id,
      DROP CONSTRAINT ck_order_refund_status_known,
      ALTER COLUMN line_id DROP NOT NULL,
      ADD COLUMN payment_id UUID,
      ADD COLUMN request_id UUID,
      ADD COLUMN asked_by TEXT DEFAULT '' NOT NULL,
      ADD CONSTRAINT ck_order_refund_status_known
        CHECK (status IN ('due', 'sent', 'unknown', 'manual', 'done'))
    """,
)

# What older releases wrote: one exact payment for each order, one refund for each line.
_FILL = (
    "UPDATE order_payment SET applied_minor = amount_minor, closes_order = true",
    "UPDATE order_refund r SET payment_id = o.payment_id FROM orders o WHERE o.id = r.order_id",
    """
    UPDATE order_payment p SET back_minor = r.back
    FROM (SELECT payment_id, sum(amount_minor) AS back FROM order_refund GROUP BY 1) r
    WHERE r.payment_id = p.id
    """,
    """
    UPDATE order_line l SET refund_minor = r.amount_minor,
      refunded_minor = CASE WHEN r.status = 'done' THEN r.amount_minor ELSE 0 END
    FROM order_refund r WHERE r.line_id = l.id
    """,
    """
    UPDATE orders SET is_closed = true
    WHERE status IN ('completed', 'partially_completed', 'refunded')
    """,
)

_KEYS = (
    """
    ALTER TABLE order_payment
      ADD CONSTRAINT ck_order_payment_applied_came
        CHECK (applied_minor BETWEEN 0 AND amount_minor),
      ADD CONSTRAINT ck_order_payment_only_taken_pays
        CHECK (status = 'taken' OR applied_minor = 0),
      ADD CONSTRAINT ck_order_payment_only_taken_closes
        CHECK (status = 'taken' OR NOT closes_order),
      ADD CONSTRAINT ck_order_payment_back_came
        CHECK (back_minor BETWEEN 0 AND amount_minor)
    """,
    "DROP INDEX uq_order_payment_taken",
    "CREATE UNIQUE INDEX uq_order_payment_closing ON order_payment (order_id) WHERE closes_order",
    "CREATE INDEX ix_order_payment_other ON order_payment (order_id) WHERE NOT closes_order",
    """
    ALTER TABLE order_refund
      ALTER COLUMN payment_id SET NOT NULL,
      ADD CONSTRAINT fk_order_refund_payment_id_order_payment
        FOREIGN KEY (payment_id) REFERENCES order_payment (id)
    """,
    """
    CREATE UNIQUE INDEX uq_order_refund_line ON order_refund (line_id, payment_id)
    WHERE line_id IS NOT NULL AND request_id IS NULL
    """,
    """
    CREATE UNIQUE INDEX uq_order_refund_payment ON order_refund (payment_id)
    WHERE line_id IS NULL
    """,
    """
    CREATE UNIQUE INDEX uq_order_refund_request
    ON order_refund (request_id, line_id, payment_id) WHERE request_id IS NOT NULL
    """,
    "DROP INDEX ix_order_refund_open",
    """
    CREATE INDEX ix_order_refund_open ON order_refund (next_at)
    WHERE status NOT IN ('done', 'manual')
    """,
    "CREATE INDEX ix_order_refund_manual ON order_refund (created_at) WHERE status = 'manual'",
)

_ORDERS_TRANSITION = """
    CREATE OR REPLACE FUNCTION orders_transition() RETURNS trigger LANGUAGE plpgsql AS $$
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
        {later}
        ELSE false
      END) THEN
        RAISE EXCEPTION 'an order that is % cannot become %', OLD.status, NEW.status
          USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_transition';
      END IF;
      RETURN NEW;
    END $$
    """
_LATER = """
        WHEN 'completed' THEN NEW.status = 'refunding'
        WHEN 'partially_completed' THEN NEW.status = 'refunding'
"""

_GUARDS = (
    # What came does not change; what it does for the order moves one way only.
    """
    CREATE FUNCTION order_payment_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (OLD.order_id, OLD.merchant_id, OLD.provider, OLD.provider_reference, OLD.via,
          OLD.amount_minor, OLD.currency, OLD.paid_at)
        IS DISTINCT FROM (NEW.order_id, NEW.merchant_id, NEW.provider, NEW.provider_reference,
          NEW.via, NEW.amount_minor, NEW.currency, NEW.paid_at)
        OR (OLD.status = NEW.status AND (OLD.applied_minor, OLD.closes_order)
          IS DISTINCT FROM (NEW.applied_minor, NEW.closes_order))
      THEN
        RAISE EXCEPTION 'what came with payment % does not change', OLD.id
          USING ERRCODE = 'check_violation', CONSTRAINT = 'order_payment_fixed';
      END IF;
      IF OLD.status <> NEW.status AND NOT (CASE OLD.status
        WHEN 'partial' THEN NEW.status IN ('taken', 'surplus')
        WHEN 'surplus' THEN NEW.status IN ('returning', 'returned')
        WHEN 'returning' THEN NEW.status = 'returned'
        ELSE false
      END) THEN
        RAISE EXCEPTION 'a payment that is % cannot become %', OLD.status, NEW.status
          USING ERRCODE = 'check_violation', CONSTRAINT = 'order_payment_transition';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER order_payment_guard BEFORE UPDATE ON order_payment
    FOR EACH ROW EXECUTE FUNCTION order_payment_guard()
    """,
    # Every refund is counted on its payment and its line, whose CHECKs bound the sums: whoever
    # writes, and however many at once, nobody gives back more than came. The row locks that the
    # counting takes are those of rows that belong to one order.
    """
    CREATE FUNCTION order_refund_count() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE surplus bigint;
    BEGIN
      UPDATE order_payment SET back_minor = back_minor + NEW.amount_minor,
        status = CASE WHEN NEW.line_id IS NULL AND status = 'partial' THEN 'surplus' ELSE status END
      WHERE id = NEW.payment_id AND order_id = NEW.order_id AND merchant_id = NEW.merchant_id
        AND currency = NEW.currency
      RETURNING amount_minor - applied_minor INTO surplus;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'refund % is not of a payment of its order and currency', NEW.id
          USING ERRCODE = 'check_violation', CONSTRAINT = 'order_refund_payment';
      END IF;
      IF NEW.line_id IS NULL THEN
        IF NEW.amount_minor > surplus THEN
          RAISE EXCEPTION 'refund % gives back what paid the order', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'order_refund_surplus';
        END IF;
        RETURN NEW;
      END IF;
      UPDATE order_line SET refund_minor = refund_minor + NEW.amount_minor
      WHERE id = NEW.line_id AND order_id = NEW.order_id AND currency = NEW.currency;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'refund % is not of a line of its order and currency', NEW.id
          USING ERRCODE = 'check_violation', CONSTRAINT = 'order_refund_line';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER order_refund_count AFTER INSERT ON order_refund
    FOR EACH ROW EXECUTE FUNCTION order_refund_count()
    """,
    """
    CREATE FUNCTION order_refund_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (OLD.order_id, OLD.merchant_id, OLD.payment_id, OLD.line_id, OLD.request_id,
          OLD.amount_minor, OLD.currency, OLD.provider, OLD.provider_reference, OLD.reason,
          OLD.asked_by)
        IS DISTINCT FROM (NEW.order_id, NEW.merchant_id, NEW.payment_id, NEW.line_id,
          NEW.request_id, NEW.amount_minor, NEW.currency, NEW.provider, NEW.provider_reference,
          NEW.reason, NEW.asked_by)
      THEN
        RAISE EXCEPTION 'what refund % gives back does not change', OLD.id
          USING ERRCODE = 'check_violation', CONSTRAINT = 'order_refund_fixed';
      END IF;
      IF OLD.status <> NEW.status AND NOT (CASE OLD.status
        WHEN 'due' THEN NEW.status = 'sent'
        WHEN 'sent' THEN NEW.status IN ('due', 'unknown', 'manual', 'done')
        WHEN 'unknown' THEN NEW.status IN ('sent', 'manual', 'done')
        WHEN 'manual' THEN NEW.status IN ('due', 'done')
        ELSE false
      END) THEN
        RAISE EXCEPTION 'a refund that is % cannot become %', OLD.status, NEW.status
          USING ERRCODE = 'check_violation', CONSTRAINT = 'order_refund_transition';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER order_refund_guard BEFORE UPDATE ON order_refund
    FOR EACH ROW EXECUTE FUNCTION order_refund_guard()
    """,
    # A refund and what it gives back cannot disagree: the payment follows its refund, the line
    # counts what is done.
    """
    CREATE FUNCTION order_refund_follow() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.line_id IS NULL THEN
        UPDATE order_payment
        SET status = CASE WHEN NEW.status = 'done' THEN 'returned' ELSE 'returning' END
        WHERE id = NEW.payment_id AND status IN ('surplus', 'returning')
          AND (NEW.status = 'done' OR status = 'surplus');
      ELSIF NEW.status = 'done' THEN
        UPDATE order_line SET refunded_minor = refunded_minor + NEW.amount_minor
        WHERE id = NEW.line_id;
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER order_refund_follow AFTER UPDATE ON order_refund
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status IN ('sent', 'done'))
    EXECUTE FUNCTION order_refund_follow()
    """,
)


def upgrade() -> None:
    for statement in (*_COLUMNS, *_FILL, *_KEYS):
        op.execute(statement)
    op.execute(_ORDERS_TRANSITION.format(later=_LATER))
    for statement in _GUARDS:
        op.execute(statement)


def downgrade() -> None:
    """Refuses when there is money that the older release has no place for."""
    for table in ("order_payment", "order_refund"):
        op.execute(f"DROP TRIGGER {table}_guard ON {table}")
    op.execute("DROP TRIGGER order_refund_count ON order_refund")
    op.execute("DROP TRIGGER order_refund_follow ON order_refund")
    for function in (
        "order_payment_guard",
        "order_refund_guard",
        "order_refund_count",
        "order_refund_follow",
    ):
        op.execute(f"DROP FUNCTION {function}()")
    op.execute(_ORDERS_TRANSITION.format(later=""))
    op.execute("UPDATE order_refund SET status = 'sent' WHERE status IN ('unknown', 'manual')")
    op.execute(
        """
        ALTER TABLE order_refund
          DROP COLUMN payment_id, DROP COLUMN request_id, DROP COLUMN asked_by,
          DROP CONSTRAINT ck_order_refund_status_known,
          ALTER COLUMN line_id SET NOT NULL,
          ADD CONSTRAINT uq_order_refund_line_id UNIQUE (line_id),
          ADD CONSTRAINT ck_order_refund_status_known CHECK (status IN ('due', 'sent', 'done'))
        """
    )
    op.execute("DROP INDEX ix_order_refund_open")
    op.execute("DROP INDEX ix_order_refund_manual")
    op.execute("CREATE INDEX ix_order_refund_open ON order_refund (next_at) WHERE status <> 'done'")
    op.execute(
        """
        ALTER TABLE order_payment
          DROP COLUMN applied_minor, DROP COLUMN back_minor, DROP COLUMN closes_order,
          DROP CONSTRAINT ck_order_payment_status_known,
          ADD CONSTRAINT ck_order_payment_status_known CHECK (status IN ('taken'))
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_order_payment_taken ON order_payment (order_id) "
        "WHERE status = 'taken'"
    )
    op.execute("ALTER TABLE order_line DROP COLUMN refund_minor, DROP COLUMN refunded_minor")
    op.execute(
        "ALTER TABLE orders DROP COLUMN parts, DROP COLUMN surplus_minor, "
        "DROP COLUMN returned_minor, DROP COLUMN is_closed"
    )
