"""One durable row per outside call, with the state machine of order/steps/domain.py."""

from alembic import op

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
    "CREATE INDEX ix_saga_step_manual ON saga_step (merchant_id, id) WHERE state = 'manual'",
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


def upgrade() -> None:
    for statement in (_TABLE, *_INDEXES, *_GUARDS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE saga_step")
    for function in ("saga_step_transition", "saga_step_fixed"):
        op.execute(f"DROP FUNCTION {function}()")
