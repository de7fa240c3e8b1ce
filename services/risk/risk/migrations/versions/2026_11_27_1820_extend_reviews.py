"""Challenges, and what happens when nobody decides (pre: the code needs it)."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE review_policy (
      merchant_id uuid NOT NULL CONSTRAINT pk_review_policy PRIMARY KEY,
      review_minutes integer,
      after_time text NOT NULL,
      challenge_fall_back text NOT NULL,
      author text NOT NULL,
      changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      CONSTRAINT ck_review_policy_after_time_known
        CHECK (after_time IN ('keep', 'approve', 'decline')),
      CONSTRAINT ck_review_policy_fall_back_known
        CHECK (challenge_fall_back IN ('hold', 'decline')),
      CONSTRAINT ck_review_policy_review_minutes CHECK (review_minutes BETWEEN 1 AND 43200)
    )
    """,
    """
    CREATE TABLE challenge (
      id uuid NOT NULL CONSTRAINT pk_challenge PRIMARY KEY,
      merchant_id uuid NOT NULL,
      order_id uuid NOT NULL,
      reference text NOT NULL,
      status text NOT NULL DEFAULT 'open',
      reason text NOT NULL,
      tries integer NOT NULL DEFAULT 0,
      resends integer NOT NULL DEFAULT 0,
      channel text NOT NULL DEFAULT '',
      target text NOT NULL DEFAULT '',
      opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      expires_at timestamptz NOT NULL,
      ended_at timestamptz,
      CONSTRAINT ck_challenge_status_known CHECK
        (status IN ('open', 'passed', 'failed', 'expired', 'unsent', 'lapsed')),
      CONSTRAINT ck_challenge_ended_when_closed CHECK ((status = 'open') = (ended_at IS NULL)),
      CONSTRAINT ck_challenge_counts_not_negative CHECK (tries >= 0 AND resends >= 0)
    )
    """,
    """
    CREATE TABLE order_label (
      order_id uuid NOT NULL,
      kind text NOT NULL,
      source text NOT NULL,
      merchant_id uuid NOT NULL,
      at timestamptz NOT NULL,
      amount_minor bigint NOT NULL,
      currency text NOT NULL,
      customer_key uuid,
      contact_key uuid,
      CONSTRAINT pk_order_label PRIMARY KEY (order_id, kind, source),
      CONSTRAINT ck_order_label_kind_known CHECK (kind IN
        ('completed', 'undelivered', 'refund', 'claim', 'chargeback'))
    )
    """,
    """
    CREATE INDEX ix_order_label_customer_key ON order_label (customer_key, kind, order_id)
      WHERE customer_key IS NOT NULL AND kind IN ('refund', 'claim', 'chargeback')
    """,
    """
    CREATE INDEX ix_order_label_contact_key ON order_label (contact_key, kind, order_id)
      WHERE contact_key IS NOT NULL AND kind IN ('refund', 'claim', 'chargeback')
    """,
    """
    CREATE TABLE backtest (
      id uuid NOT NULL CONSTRAINT pk_backtest PRIMARY KEY,
      merchant_id uuid NOT NULL,
      rule_id uuid,
      rule_version integer,
      condition text NOT NULL,
      action text NOT NULL,
      since timestamptz NOT NULL,
      until timestamptz NOT NULL,
      author text NOT NULL,
      status text NOT NULL DEFAULT 'queued',
      done integer NOT NULL DEFAULT 0,
      total integer NOT NULL DEFAULT 0,
      report jsonb,
      problem text NOT NULL DEFAULT '',
      leased_until timestamptz,
      created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      ended_at timestamptz,
      CONSTRAINT ck_backtest_status_known CHECK
        (status IN ('queued', 'running', 'completed', 'failed')),
      CONSTRAINT ck_backtest_ended_when_over CHECK
        ((status IN ('completed', 'failed')) = (ended_at IS NOT NULL)),
      CONSTRAINT ck_backtest_completed_has_report CHECK
        ((status = 'completed') = (report IS NOT NULL))
    )
    """,
    "CREATE INDEX ix_backtest_merchant_id_id ON backtest (merchant_id, id)",
    """
    CREATE INDEX ix_backtest_under_way ON backtest (id) WHERE status IN ('queued', 'running')
    """,
    "CREATE INDEX ix_challenge_order_id ON challenge (order_id)",
    """
    ALTER TABLE review
      ADD COLUMN assignee text, ADD COLUMN due_at timestamptz, ADD COLUMN after_time text,
      ADD CONSTRAINT ck_review_after_time_known
        CHECK (after_time IN ('keep', 'approve', 'decline')),
      ADD CONSTRAINT ck_review_due_has_consequence
        CHECK ((due_at IS NULL) = (after_time IS NULL))
    """,
    """
    CREATE INDEX ix_review_due ON review (due_at)
      WHERE status = 'open' AND after_time IN ('approve', 'decline')
    """,
    """
    CREATE TABLE review_act (
      id uuid NOT NULL CONSTRAINT pk_review_act PRIMARY KEY,
      review_id uuid NOT NULL CONSTRAINT fk_review_act_review_id_review REFERENCES review (id),
      merchant_id uuid NOT NULL,
      at timestamptz NOT NULL DEFAULT clock_timestamp(),
      actor text NOT NULL,
      act text NOT NULL,
      note text NOT NULL DEFAULT '',
      CONSTRAINT ck_review_act_act_known CHECK (act IN
        ('assigned', 'unassigned', 'noted', 'approved', 'declined', 'lapsed', 'reopened'))
    )
    """,
    "CREATE INDEX ix_review_act_review_id_id ON review_act (review_id, id)",
    """
    CREATE FUNCTION review_act_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'what was done with a review is not rewritten'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'review_act_is_final';
    END $$
    """,
    """
    CREATE TRIGGER review_act_is_final BEFORE UPDATE ON review_act
      FOR EACH ROW EXECUTE FUNCTION review_act_is_final()
    """,
    "CREATE INDEX ix_challenge_due ON challenge (expires_at) WHERE status = 'open'",
)


def _decisions(*known: str) -> str:
    listed = ", ".join(f"'{decision}'" for decision in known)
    return f"""
        ALTER TABLE assessment DROP CONSTRAINT ck_assessment_decision_known,
          ADD CONSTRAINT ck_assessment_decision_known CHECK (decision IN ({listed}))
    """


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
    op.execute(_decisions("allow", "challenge", "hold", "decline"))


def downgrade() -> None:
    """What was challenged reads as held, as it was before."""
    op.execute("UPDATE assessment SET decision = 'hold' WHERE decision = 'challenge'")
    op.execute(_decisions("allow", "hold", "decline"))
    op.drop_table("backtest")
    op.drop_table("order_label")
    op.drop_table("review_act")
    op.execute("DROP FUNCTION review_act_is_final")
    op.execute(
        "ALTER TABLE review DROP COLUMN assignee, DROP COLUMN due_at, DROP COLUMN after_time"
    )
    op.drop_table("challenge")
    op.drop_table("review_policy")
