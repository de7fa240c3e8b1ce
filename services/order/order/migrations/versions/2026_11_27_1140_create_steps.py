"""One durable row per outside call, with the state machine of order/steps/domain.py; later rounds
of a line that stock ran out for.
"""

from alembic import op

from kit import tenancy

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLE = """
    CREATE TABLE saga_step (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      order_id UUID NOT NULL,
      line_id UUID,
      kind TEXT NOT NULL,
      ext_ref UUID NOT NULL,
      state TEXT DEFAULT 'intent' NOT NULL,
      attempt INTEGER DEFAULT '0' NOT NULL,
      version INTEGER DEFAULT '0' NOT NULL,
      args JSONB DEFAULT '{}'::jsonb NOT NULL,
      result JSONB DEFAULT '{}'::jsonb NOT NULL,
      last_error TEXT DEFAULT '' NOT NULL,
      next_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      deadline_at timestamptz NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_saga_step PRIMARY KEY (id),
      CONSTRAINT uq_saga_step_ext_ref UNIQUE (ext_ref),
      CONSTRAINT ck_saga_step_state_known CHECK (state IN ('intent', 'sent', 'ok', 'failed',
          'unknown', 'manual', 'compensated', 'skipped'))
    )
"""
_INDEXES = (
    "CREATE INDEX ix_saga_step_order_id ON saga_step (order_id)",
    "CREATE INDEX ix_saga_step_due ON saga_step (next_at) "
    "WHERE state IN ('intent', 'sent', 'unknown')",
    "CREATE INDEX ix_saga_step_open ON saga_step (merchant_id) "
    "WHERE state IN ('intent', 'sent', 'unknown', 'manual')",
    # What waits is read from here: orders that ended are many.
    "CREATE INDEX ix_orders_open ON orders (merchant_id, id) "
    "WHERE status IN ('paid', 'on_hold', 'fulfilling', 'refunding')",
)
_GUARDS = (
    """
    CREATE FUNCTION saga_step_transition() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'intent' THEN
          RAISE EXCEPTION 'a step cannot begin as %', NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'saga_step_transition';
        END IF;
        RETURN NEW;
      END IF;
      IF NOT (CASE OLD.state
        WHEN 'intent' THEN NEW.state IN ('sent', 'manual', 'skipped')
        WHEN 'sent' THEN NEW.state IN ('intent', 'ok', 'failed', 'unknown', 'manual')
        WHEN 'unknown' THEN NEW.state IN ('sent', 'manual', 'skipped')
        WHEN 'manual' THEN NEW.state IN ('unknown', 'skipped')
        WHEN 'ok' THEN NEW.state = 'compensated'
        ELSE false
      END) THEN
        RAISE EXCEPTION 'a step that is % cannot become %', OLD.state, NEW.state
          USING ERRCODE = 'check_violation', CONSTRAINT = 'saga_step_transition';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER saga_step_begin BEFORE INSERT ON saga_step
    FOR EACH ROW EXECUTE FUNCTION saga_step_transition()
    """,
    """
    CREATE TRIGGER saga_step_transition BEFORE UPDATE ON saga_step
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION saga_step_transition()
    """,
    """
    CREATE FUNCTION saga_step_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'what step % asks for does not change', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'saga_step_fixed';
    END $$
    """,
    """
    CREATE TRIGGER saga_step_fixed BEFORE UPDATE ON saga_step FOR EACH ROW
    WHEN (OLD.ext_ref <> NEW.ext_ref OR OLD.order_id <> NEW.order_id OR OLD.kind <> NEW.kind
      OR OLD.merchant_id <> NEW.merchant_id OR OLD.line_id IS DISTINCT FROM NEW.line_id
      OR OLD.args <> NEW.args)
    EXECUTE FUNCTION saga_step_fixed()
    """,
)


_ROUNDS = (
    """
    ALTER TABLE order_line
      ADD COLUMN round INTEGER DEFAULT '1' NOT NULL,
      ADD COLUMN tried JSONB DEFAULT '[]'::jsonb NOT NULL,
      ADD COLUMN instead JSONB DEFAULT '{}'::jsonb NOT NULL
    """,
    # A new round makes a line pending again; everything else stays with order_line_transition.
    "DROP TRIGGER order_line_transition ON order_line",
    """
    CREATE TRIGGER order_line_transition BEFORE UPDATE ON order_line
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND OLD.round = NEW.round)
    EXECUTE FUNCTION order_line_transition()
    """,
    """
    CREATE FUNCTION order_line_round() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.round <> OLD.round + 1 OR NEW.status <> 'pending'
        OR OLD.status NOT IN ('pending', 'unknown', 'failed')
        OR EXISTS (SELECT FROM order_refund WHERE line_id = OLD.id)
      THEN
        RAISE EXCEPTION 'line % (%) cannot begin round % as %', OLD.id, OLD.status, NEW.round,
          NEW.status USING ERRCODE = 'check_violation', CONSTRAINT = 'order_line_round';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER order_line_round BEFORE UPDATE ON order_line
    FOR EACH ROW WHEN (OLD.round <> NEW.round) EXECUTE FUNCTION order_line_round()
    """,
)
_ROUNDS_BACK = (
    "DROP TRIGGER order_line_round ON order_line",
    "DROP FUNCTION order_line_round()",
    "DROP TRIGGER order_line_transition ON order_line",
    """
    CREATE TRIGGER order_line_transition BEFORE UPDATE ON order_line
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION order_line_transition()
    """,
    "ALTER TABLE order_line DROP COLUMN round, DROP COLUMN tried, DROP COLUMN instead",
)


def upgrade() -> None:
    for statement in (_TABLE, *_INDEXES, *_GUARDS, *_ROUNDS):
        op.execute(statement)
    tenancy.guard(op, "saga_step")


def downgrade() -> None:
    back = ("DROP INDEX ix_orders_open", "DROP TABLE saga_step")
    for statement in (*_ROUNDS_BACK, *back):
        op.execute(statement)
    for function in ("saga_step_transition", "saga_step_fixed"):
        op.execute(f"DROP FUNCTION {function}()")
