"""Claims, replacements, stopped lots, claw-backs, reminders, holdings (pre: code needs it)."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNITS = (
    """
    ALTER TABLE delivered_unit
      ADD COLUMN is_redeemable BOOLEAN DEFAULT false NOT NULL,
      ADD COLUMN copy_no SMALLINT DEFAULT '0' NOT NULL,
      ADD COLUMN replaces UUID,
      ADD COLUMN opened_at TIMESTAMPTZ,
      ADD COLUMN redeemed_at TIMESTAMPTZ,
      ADD COLUMN out_of_use_at TIMESTAMPTZ,
      DROP CONSTRAINT uq_delivered_unit_delivery_id_position,
      ADD CONSTRAINT uq_delivered_unit_delivery_id_position_copy_no
        UNIQUE (delivery_id, position, copy_no),
      ADD CONSTRAINT uq_delivered_unit_replaces UNIQUE (replaces),
      ADD CONSTRAINT fk_delivered_unit_replaces_delivered_unit
        FOREIGN KEY (replaces) REFERENCES delivered_unit (unit_id)
    """,
    "UPDATE delivered_unit SET opened_at = last_viewed_at WHERE views > 0",
    "CREATE INDEX ix_request_merchant_id_customer_id ON request (merchant_id, customer_id)",
)
_TABLES = (
    """
    CREATE TABLE claim_policy (
      merchant_id UUID NOT NULL,
      sku TEXT NOT NULL,
      auto_unseen BOOLEAN NOT NULL,
      auto_hours INTEGER NOT NULL,
      auto_lot_claims_min INTEGER NOT NULL,
      auto_lot_rate INTEGER NOT NULL,
      buyer_claims_max INTEGER NOT NULL,
      buyer_days INTEGER NOT NULL,
      warranty_hours INTEGER NOT NULL,
      when_short TEXT NOT NULL,
      watches_lots BOOLEAN NOT NULL,
      lot_claims_min INTEGER NOT NULL,
      lot_norm INTEGER NOT NULL,
      updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_claim_policy PRIMARY KEY (merchant_id, sku),
      CONSTRAINT ck_claim_policy_when_short_known CHECK (when_short IN ('wait', 'refund')),
      CONSTRAINT ck_claim_policy_lot_claims_min CHECK (lot_claims_min >= 2)
    )
    """,
    """
    CREATE TABLE claim (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      order_id UUID NOT NULL,
      delivery_id UUID NOT NULL,
      unit_id UUID NOT NULL,
      lot_id UUID NOT NULL,
      claimant TEXT NOT NULL,
      reason TEXT NOT NULL,
      note TEXT DEFAULT '' NOT NULL,
      opened_by TEXT NOT NULL,
      state TEXT DEFAULT 'opened' NOT NULL,
      decision TEXT,
      decided_by TEXT,
      decided_at TIMESTAMP WITH TIME ZONE,
      decision_reason TEXT DEFAULT '' NOT NULL,
      waits TEXT DEFAULT '' NOT NULL,
      work TEXT DEFAULT 'evidence' NOT NULL,
      due_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
      lease_id UUID,
      attempts INTEGER DEFAULT '0' NOT NULL,
      generation SMALLINT DEFAULT '0' NOT NULL,
      revoked_at TIMESTAMP WITH TIME ZONE,
      supplier TEXT,
      cost_minor BIGINT,
      currency TEXT,
      sold_at TIMESTAMP WITH TIME ZONE,
      views INTEGER,
      first_viewed_at TIMESTAMP WITH TIME ZONE,
      last_viewed_at TIMESTAMP WITH TIME ZONE,
      handed_out_at TIMESTAMP WITH TIME ZONE,
      lot_sold INTEGER,
      lot_claims INTEGER,
      buyer_claims INTEGER,
      replacement_unit_id UUID,
      replacement_lot_id UUID,
      replacement_mask TEXT,
      replacement_cost_minor BIGINT,
      replacement_currency TEXT,
      closed_at TIMESTAMP WITH TIME ZONE,
      created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_claim PRIMARY KEY (id),
      CONSTRAINT uq_claim_replacement_unit_id UNIQUE (replacement_unit_id),
      CONSTRAINT ck_claim_reason_known CHECK (reason IN ('invalid', 'used', 'wrong_product',
        'other')),
      CONSTRAINT ck_claim_state_known CHECK (state IN ('opened', 'replaced', 'refunded',
        'refused', 'withdrawn')),
      CONSTRAINT ck_claim_decision_known CHECK (decision IN ('replace', 'refund', 'refuse',
        'withdraw')),
      CONSTRAINT ck_claim_work_known CHECK (work IN ('evidence', 'carry_out', '')),
      CONSTRAINT ck_claim_decision_whole CHECK (num_nulls(decision, decided_by, decided_at) IN
        (0, 3)),
      CONSTRAINT ck_claim_closed_has_time CHECK ((state = 'opened') = (closed_at IS NULL)),
      CONSTRAINT ck_claim_ends_as_decided CHECK (state = 'opened' OR state = CASE decision
        WHEN 'replace' THEN 'replaced' WHEN 'refund' THEN 'refunded' WHEN 'refuse' THEN
        'refused' ELSE 'withdrawn' END),
      CONSTRAINT ck_claim_replaced_has_unit CHECK ((state = 'replaced') = (replacement_unit_id
        IS NOT NULL)),
      CONSTRAINT fk_claim_delivery_id_delivery FOREIGN KEY(delivery_id) REFERENCES delivery
        (id),
      CONSTRAINT fk_claim_unit_id_delivered_unit FOREIGN KEY(unit_id) REFERENCES
        delivered_unit (unit_id)
    )
    """,
    """
    CREATE INDEX ix_claim_due ON claim (due_at) WHERE work <> ''
    """,
    """
    CREATE INDEX ix_claim_lot_id ON claim (lot_id)
    """,
    """
    CREATE INDEX ix_claim_merchant_id_claimant ON claim (merchant_id, claimant, created_at)
    """,
    """
    CREATE INDEX ix_claim_merchant_id_id ON claim (merchant_id, id)
    """,
    """
    CREATE INDEX ix_claim_order_id ON claim (order_id)
    """,
    """
    CREATE INDEX ix_claim_unit_id ON claim (unit_id)
    """,
    """
    CREATE UNIQUE INDEX uq_claim_unit_id_standing ON claim (unit_id) WHERE state NOT IN
      ('refused', 'withdrawn')
    """,
    """
    CREATE TABLE claw_back (
      claim_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      channel_id UUID NOT NULL,
      order_id UUID NOT NULL,
      lot_id UUID NOT NULL,
      unit_id UUID NOT NULL,
      supplier TEXT NOT NULL,
      sku TEXT NOT NULL,
      amount_minor BIGINT NOT NULL,
      currency TEXT NOT NULL,
      state TEXT DEFAULT 'noted' NOT NULL,
      reason TEXT DEFAULT '' NOT NULL,
      decided_by TEXT,
      decided_at TIMESTAMP WITH TIME ZONE,
      noted_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_claw_back PRIMARY KEY (claim_id),
      CONSTRAINT ck_claw_back_state_known CHECK (state IN ('noted', 'accepted', 'refused')),
      CONSTRAINT ck_claw_back_amount_positive CHECK (amount_minor > 0),
      CONSTRAINT ck_claw_back_decided_has_time CHECK ((state = 'noted') = (decided_at IS
        NULL))
    )
    """,
    """
    CREATE INDEX ix_claw_back_merchant_id_claim_id ON claw_back (merchant_id, claim_id)
    """,
    """
    CREATE TABLE lot_quarantine (
      lot_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      sku TEXT NOT NULL,
      order_id UUID NOT NULL,
      state TEXT DEFAULT 'due' NOT NULL,
      round SMALLINT DEFAULT '1' NOT NULL,
      claims INTEGER NOT NULL,
      buyers INTEGER NOT NULL,
      sold INTEGER NOT NULL,
      bound INTEGER NOT NULL,
      norm INTEGER NOT NULL,
      due_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
      quarantined_at TIMESTAMP WITH TIME ZONE,
      restored_at TIMESTAMP WITH TIME ZONE,
      restored_by TEXT,
      restore_reason TEXT DEFAULT '' NOT NULL,
      created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_lot_quarantine PRIMARY KEY (lot_id),
      CONSTRAINT ck_lot_quarantine_state_known CHECK (state IN ('due', 'quarantined',
        'missed', 'restored')),
      CONSTRAINT ck_lot_quarantine_restored_by_whom CHECK (state <> 'restored' OR (restored_at
        IS NOT NULL AND restored_by IS NOT NULL))
    )
    """,
    """
    CREATE INDEX ix_lot_quarantine_due ON lot_quarantine (due_at) WHERE state = 'due'
    """,
    """
    CREATE INDEX ix_lot_quarantine_merchant_id_lot_id ON lot_quarantine (merchant_id, lot_id)
    """,
    """
    CREATE TABLE reminder_setting (
      merchant_id UUID NOT NULL,
      days INTEGER[] NOT NULL,
      CONSTRAINT pk_reminder_setting PRIMARY KEY (merchant_id),
      CONSTRAINT ck_reminder_setting_days_few CHECK (cardinality(days) <= 5),
      CONSTRAINT ck_reminder_setting_days_range CHECK (0 < ALL (days) AND 90 >= ALL (days))
    )
    """,
    """
    CREATE TABLE reminder (
      unit_id UUID NOT NULL,
      days SMALLINT NOT NULL,
      merchant_id UUID NOT NULL,
      reminded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_reminder PRIMARY KEY (unit_id, days)
    )
    """,
    """
    CREATE TABLE holding_page (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      customer_id TEXT NOT NULL,
      created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_holding_page PRIMARY KEY (id),
      CONSTRAINT uq_holding_page_merchant_id_customer_id UNIQUE (merchant_id, customer_id)
    )
    """,
)
# What is decided about a claim is never taken back once it is carried out.
_GUARD = (
    """
    CREATE FUNCTION claim_stays_decided() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'a claim that is % stays so', OLD.state
        USING ERRCODE = 'check_violation', CONSTRAINT = 'claim_stays_decided';
    END $$
    """,
    """
    CREATE TRIGGER claim_stays_decided BEFORE UPDATE ON claim FOR EACH ROW
    WHEN (OLD.state <> 'opened') EXECUTE FUNCTION claim_stays_decided()
    """,
    """
    CREATE TRIGGER claim_is_kept BEFORE DELETE ON claim FOR EACH ROW
    WHEN (OLD.state <> 'opened') EXECUTE FUNCTION claim_stays_decided()
    """,
)
# The way back needs every unit to be the first in its place.
_BACK = (
    "DROP TABLE holding_page",
    "DROP TABLE reminder",
    "DROP TABLE reminder_setting",
    "DROP TABLE lot_quarantine",
    "DROP TABLE claw_back",
    "DROP TABLE claim",
    "DROP TABLE claim_policy",
    "DROP FUNCTION claim_stays_decided()",
    "DROP INDEX ix_request_merchant_id_customer_id",
    """
    ALTER TABLE delivered_unit
      DROP CONSTRAINT uq_delivered_unit_delivery_id_position_copy_no,
      ADD CONSTRAINT uq_delivered_unit_delivery_id_position UNIQUE (delivery_id, position),
      DROP COLUMN is_redeemable, DROP COLUMN copy_no, DROP COLUMN replaces,
      DROP COLUMN opened_at, DROP COLUMN redeemed_at, DROP COLUMN out_of_use_at
    """,
)


def upgrade() -> None:
    for statement in (*_UNITS, *_TABLES, *_GUARD):
        op.execute(statement)


def downgrade() -> None:
    for statement in _BACK:
        op.execute(statement)
