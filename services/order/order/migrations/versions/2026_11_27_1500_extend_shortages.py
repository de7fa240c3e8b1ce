"""Late payments and woken back-orders (pre: the code needs it)."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = (
    "ALTER TABLE orders ADD COLUMN revived_at timestamptz",
    "ALTER TABLE merchant ADD COLUMN shortage jsonb",
    """
    ALTER TABLE channel ADD COLUMN shortage jsonb,
      ADD COLUMN late_payments text NOT NULL DEFAULT 'expired',
      ADD CONSTRAINT ck_channel_late_payments_known
        CHECK (late_payments IN ('give_back', 'expired', 'expired_or_cancelled'))
    """,
)

# An order that ended unpaid goes on only when it is revived, with exactly its price taken.
_REVIVED = """
          NEW.status IN ('paid', 'on_hold', 'fulfilling') AND NEW.revived_at IS NOT NULL
          AND NEW.total_minor = (SELECT coalesce(sum(p.applied_minor), 0) FROM order_payment p
            WHERE p.order_id = NEW.id AND p.status = 'taken' AND p.closes_order)
"""
_REVIVAL = f"""
        WHEN 'expired' THEN {_REVIVED}
        WHEN 'cancelled' THEN {_REVIVED}
"""
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
        WHEN 'completed' THEN NEW.status = 'refunding'
        WHEN 'partially_completed' THEN NEW.status = 'refunding' {revival}
        ELSE false
      END) THEN
        RAISE EXCEPTION 'an order that is % cannot become %', OLD.status, NEW.status
          USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_transition';
      END IF;
      RETURN NEW;
    END $$
    """
# The hold changes once at most, while the order is over.
_REVIVED_ONCE = (
    """
    CREATE FUNCTION orders_revived_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.status NOT IN ('expired', 'cancelled') OR OLD.revived_at IS NOT NULL
        OR NEW.revived_at IS NULL
      THEN
        RAISE EXCEPTION 'order % cannot be revived', OLD.id
          USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_revived_once';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER orders_revived_once BEFORE UPDATE ON orders FOR EACH ROW
    WHEN (OLD.revived_at IS DISTINCT FROM NEW.revived_at
      OR OLD.reservation_id IS DISTINCT FROM NEW.reservation_id)
    EXECUTE FUNCTION orders_revived_once()
    """,
)


def upgrade() -> None:
    for statement in _COLUMNS:
        op.execute(statement)
    op.execute(_ORDERS_TRANSITION.format(revival=_REVIVAL))
    for statement in _REVIVED_ONCE:
        op.execute(statement)


def downgrade() -> None:
    op.execute(_ORDERS_TRANSITION.format(revival=""))
    op.execute("DROP TRIGGER orders_revived_once ON orders")
    op.execute("DROP FUNCTION orders_revived_once()")
    op.execute("ALTER TABLE orders DROP COLUMN revived_at")
    op.execute("ALTER TABLE channel DROP COLUMN late_payments, DROP COLUMN shortage")
    op.execute("ALTER TABLE merchant DROP COLUMN shortage")
