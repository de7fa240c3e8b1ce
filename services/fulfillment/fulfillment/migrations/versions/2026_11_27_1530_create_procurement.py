"""Offers of suppliers, procurement into stock, reconciliation (pre: the code needs it)."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (*_TABLES, *_EXTENSIONS):
        op.execute(statement)


def downgrade() -> None:
    for statement in _BACK:
        op.execute(statement)
    for table in (
        "supplier_statement_line",
        "supplier_statement",
        "supplier_sync",
        "supplier_product",
        "supplier_circuit",
        "purchase_statistic",
        "arrival_box",
        "arrival",
        "supplier_case",
        "pool_budget",
        "procurement",
        "procurement_rule",
    ):
        op.execute(f"DROP TABLE {table}")


_TABLES = (
    """
    CREATE TABLE procurement_rule (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        pool_id UUID NOT NULL,
        reorder_cover_days FLOAT,
        reorder_point INTEGER,
        target_cover_days FLOAT NOT NULL,
        quantity_min INTEGER NOT NULL,
        quantity_max INTEGER NOT NULL,
        currency TEXT NOT NULL,
        budget_per_day_minor BIGINT,
        approval_above_minor BIGINT,
        is_active BOOLEAN DEFAULT true NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        lease_id UUID,
        checked_at TIMESTAMP WITH TIME ZONE,
        last_reason TEXT DEFAULT '' NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_procurement_rule PRIMARY KEY (id),
        CONSTRAINT uq_procurement_rule_merchant_id_pool_id UNIQUE (merchant_id, pool_id),
        CONSTRAINT ck_procurement_rule_has_a_trigger CHECK (reorder_cover_days IS NOT NULL OR
            reorder_point IS NOT NULL),
        CONSTRAINT ck_procurement_rule_target_positive CHECK (target_cover_days > 0),
        CONSTRAINT ck_procurement_rule_quantities_in_order CHECK (quantity_min >= 1 AND
            quantity_max >= quantity_min),
        CONSTRAINT ck_procurement_rule_budget_not_negative CHECK (budget_per_day_minor >= 0),
        CONSTRAINT ck_procurement_rule_approval_not_negative CHECK (approval_above_minor >= 0)
    )
    """,
    """
    CREATE INDEX ix_procurement_rule_due_at ON procurement_rule (due_at)
    """,
    """
    CREATE INDEX ix_procurement_rule_merchant_id_id ON procurement_rule (merchant_id, id)
    """,
    """
    CREATE TABLE procurement (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        pool_id UUID NOT NULL,
        rule_id UUID,
        supplier_product_id UUID,
        quantity INTEGER NOT NULL,
        currency TEXT NOT NULL,
        budget_minor BIGINT NOT NULL,
        budget_day DATE,
        spent_minor BIGINT DEFAULT '0' NOT NULL,
        bought INTEGER DEFAULT '0' NOT NULL,
        arrived INTEGER DEFAULT '0' NOT NULL,
        state TEXT NOT NULL,
        reason TEXT DEFAULT '' NOT NULL,
        generation SMALLINT DEFAULT '0' NOT NULL,
        explanation JSONB DEFAULT '{}'::jsonb NOT NULL,
        requested_by TEXT NOT NULL,
        decided_by TEXT,
        decided_at TIMESTAMP WITH TIME ZONE,
        due_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        lease_id UUID,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_procurement PRIMARY KEY (id),
        CONSTRAINT ck_procurement_state_known CHECK (state IN ('planned', 'awaiting_approval',
            'buying', 'unknown', 'arrived', 'partly', 'failed', 'declined')),
        CONSTRAINT ck_procurement_quantity_positive CHECK (quantity > 0),
        CONSTRAINT ck_procurement_budget_not_negative CHECK (budget_minor >= 0),
        CONSTRAINT ck_procurement_ended_has_time CHECK ((state IN ('arrived', 'partly',
            'failed', 'declined')) = (ended_at IS NOT NULL)),
        CONSTRAINT fk_procurement_rule_id_procurement_rule FOREIGN KEY(rule_id) REFERENCES
            procurement_rule (id) ON DELETE SET NULL
    )
    """,
    """
    CREATE INDEX ix_procurement_due_at ON procurement (due_at) WHERE ended_at IS NULL AND
            state <> 'awaiting_approval'
    """,
    """
    CREATE INDEX ix_procurement_merchant_id_id ON procurement (merchant_id, id)
    """,
    """
    CREATE UNIQUE INDEX uq_procurement_rule_id_open ON procurement (rule_id) WHERE ended_at IS
            NULL
    """,
    """
    CREATE TABLE pool_budget (
        pool_id UUID NOT NULL,
        day DATE NOT NULL,
        merchant_id UUID NOT NULL,
        currency TEXT NOT NULL,
        reserved_minor BIGINT NOT NULL,
        CONSTRAINT pk_pool_budget PRIMARY KEY (pool_id, day, merchant_id, currency),
        CONSTRAINT ck_pool_budget_reserved_not_negative CHECK (reserved_minor >= 0)
    )
    """,
    """
    CREATE TABLE supplier_case (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        supplier TEXT DEFAULT '' NOT NULL,
        purchase_id UUID,
        order_id UUID,
        procurement_id UUID,
        amount_minor BIGINT,
        currency TEXT,
        details JSONB DEFAULT '{}'::jsonb NOT NULL,
        state TEXT DEFAULT 'open' NOT NULL,
        resolution TEXT DEFAULT '' NOT NULL,
        closed_by TEXT,
        closed_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_supplier_case PRIMARY KEY (id),
        CONSTRAINT ck_supplier_case_state_known CHECK (state IN ('open', 'closed')),
        CONSTRAINT ck_supplier_case_closed_says_why CHECK ((state = 'closed') = (closed_at IS
            NOT NULL AND closed_by IS NOT NULL AND resolution <> '')),
        CONSTRAINT ck_supplier_case_amount_whole CHECK ((amount_minor IS NULL) = (currency IS
            NULL))
    )
    """,
    """
    CREATE INDEX ix_supplier_case_merchant_id_id ON supplier_case (merchant_id, id)
    """,
    """
    CREATE INDEX ix_supplier_case_merchant_id_kind_subject ON supplier_case (merchant_id,
            kind, subject)
    """,
    """
    CREATE UNIQUE INDEX uq_supplier_case_merchant_id_kind_subject_open ON supplier_case
            (merchant_id, kind, subject) WHERE state = 'open'
    """,
    """
    CREATE TABLE arrival (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        purchase_id UUID NOT NULL,
        procurement_id UUID,
        order_id UUID,
        pool_id UUID,
        waiter_id UUID,
        supplier TEXT NOT NULL,
        supplier_sku TEXT NOT NULL,
        wanted INTEGER NOT NULL,
        quantity INTEGER NOT NULL,
        cost_minor BIGINT NOT NULL,
        currency TEXT NOT NULL,
        is_late BOOLEAN DEFAULT false NOT NULL,
        key_id UUID NOT NULL,
        public_key BYTEA NOT NULL,
        state TEXT DEFAULT 'sealed' NOT NULL,
        accepted INTEGER DEFAULT '0' NOT NULL,
        rejected INTEGER DEFAULT '0' NOT NULL,
        duplicates INTEGER DEFAULT '0' NOT NULL,
        tries INTEGER DEFAULT '0' NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        lease_id UUID,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_arrival PRIMARY KEY (id),
        CONSTRAINT uq_arrival_purchase_id UNIQUE (purchase_id),
        CONSTRAINT ck_arrival_state_known CHECK (state IN ('sealed', 'stored', 'refused',
            'resealing')),
        CONSTRAINT ck_arrival_quantity_positive CHECK (quantity > 0),
        CONSTRAINT ck_arrival_ended_has_time CHECK ((state IN ('stored', 'refused')) =
            (ended_at IS NOT NULL)),
        CONSTRAINT ck_arrival_no_more_than_came CHECK (accepted + rejected + duplicates <=
            quantity),
        CONSTRAINT fk_arrival_purchase_id_purchase FOREIGN KEY(purchase_id) REFERENCES
            purchase (id)
    )
    """,
    """
    CREATE INDEX ix_arrival_due_at ON arrival (due_at) WHERE state = 'sealed' AND pool_id IS
            NOT NULL
    """,
    """
    CREATE INDEX ix_arrival_procurement_id ON arrival (procurement_id)
    """,
    """
    CREATE TABLE arrival_box (
        arrival_id UUID NOT NULL,
        line INTEGER NOT NULL,
        unit_id UUID NOT NULL,
        nonce BYTEA NOT NULL,
        ciphertext BYTEA NOT NULL,
        cost_minor BIGINT NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_arrival_box PRIMARY KEY (arrival_id, line),
        CONSTRAINT fk_arrival_box_arrival_id_arrival FOREIGN KEY(arrival_id) REFERENCES
            arrival (id)
    )
    """,
    """
    CREATE TABLE purchase_statistic (
        merchant_id UUID NOT NULL,
        supplier TEXT NOT NULL,
        supplier_sku TEXT NOT NULL,
        hour TIMESTAMP WITH TIME ZONE NOT NULL,
        outcome TEXT NOT NULL,
        bucket SMALLINT NOT NULL,
        number BIGINT NOT NULL,
        CONSTRAINT pk_purchase_statistic PRIMARY KEY (merchant_id, supplier, supplier_sku,
            hour, outcome, bucket),
        CONSTRAINT ck_purchase_statistic_number_positive CHECK (number > 0)
    )
    """,
    """
    CREATE TABLE supplier_circuit (
        merchant_id UUID NOT NULL,
        supplier TEXT NOT NULL,
        failures INTEGER DEFAULT '0' NOT NULL,
        openings INTEGER DEFAULT '0' NOT NULL,
        open_until TIMESTAMP WITH TIME ZONE,
        probe_until TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_supplier_circuit PRIMARY KEY (merchant_id, supplier),
        CONSTRAINT ck_supplier_circuit_failures_not_negative CHECK (failures >= 0)
    )
    """,
    """
    CREATE TABLE supplier_product (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        supplier TEXT NOT NULL,
        supplier_sku TEXT NOT NULL,
        sku TEXT,
        pool_id UUID,
        currency TEXT NOT NULL,
        cost_minor BIGINT,
        stock INTEGER,
        seen_at TIMESTAMP WITH TIME ZONE,
        fee_minor BIGINT DEFAULT '0' NOT NULL,
        fee_basis_points INTEGER DEFAULT '0' NOT NULL,
        cost_max_minor BIGINT NOT NULL,
        cost_accepted_minor BIGINT,
        drift_max_basis_points INTEGER,
        priority INTEGER DEFAULT '0' NOT NULL,
        quantity_min INTEGER DEFAULT '1' NOT NULL,
        quantity_max INTEGER,
        is_active BOOLEAN DEFAULT true NOT NULL,
        paused_reason TEXT DEFAULT '' NOT NULL,
        paused_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_supplier_product PRIMARY KEY (id),
        CONSTRAINT fk_supplier_product_merchant_id_supplier FOREIGN KEY(merchant_id, supplier)
            REFERENCES supplier (merchant_id, name),
        CONSTRAINT uq_supplier_product_merchant_id_supplier_supplier_sku UNIQUE (merchant_id,
            supplier, supplier_sku),
        CONSTRAINT ck_supplier_product_is_something_here CHECK (sku IS NOT NULL OR pool_id IS
            NOT NULL),
        CONSTRAINT ck_supplier_product_cost_max_not_negative CHECK (cost_max_minor >= 0),
        CONSTRAINT ck_supplier_product_cost_not_negative CHECK (cost_minor >= 0),
        CONSTRAINT ck_supplier_product_fees_not_negative CHECK (fee_minor >= 0 AND
            fee_basis_points >= 0),
        CONSTRAINT ck_supplier_product_quantity_min_positive CHECK (quantity_min >= 1),
        CONSTRAINT ck_supplier_product_quantity_max_not_below_min CHECK (quantity_max >=
            quantity_min),
        CONSTRAINT ck_supplier_product_paused_says_why CHECK ((paused_reason = '') =
            (paused_at IS NULL))
    )
    """,
    """
    CREATE INDEX ix_supplier_product_merchant_id_id ON supplier_product (merchant_id, id)
    """,
    """
    CREATE INDEX ix_supplier_product_merchant_id_pool_id ON supplier_product (merchant_id,
            pool_id)
    """,
    """
    CREATE INDEX ix_supplier_product_merchant_id_sku ON supplier_product (merchant_id, sku)
    """,
    """
    CREATE TABLE supplier_sync (
        supplier_id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        supplier TEXT NOT NULL,
        balance_minor BIGINT,
        balance_currency TEXT,
        balance_at TIMESTAMP WITH TIME ZONE,
        articles INTEGER,
        listed_at TIMESTAMP WITH TIME ZONE,
        reason TEXT DEFAULT '' NOT NULL,
        failures INTEGER DEFAULT '0' NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        lease_id UUID,
        CONSTRAINT pk_supplier_sync PRIMARY KEY (supplier_id),
        CONSTRAINT ck_supplier_sync_balance_whole CHECK ((balance_minor IS NULL) =
            (balance_currency IS NULL) AND (balance_minor IS NULL) = (balance_at IS NULL)),
        CONSTRAINT fk_supplier_sync_supplier_id_supplier FOREIGN KEY(supplier_id) REFERENCES
            supplier (id)
    )
    """,
    """
    CREATE INDEX ix_supplier_sync_due_at ON supplier_sync (due_at)
    """,
    """
    CREATE UNIQUE INDEX ix_supplier_sync_merchant_id_supplier ON supplier_sync (merchant_id,
            supplier)
    """,
    """
    CREATE TABLE supplier_statement (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        supplier TEXT NOT NULL,
        digest BYTEA NOT NULL,
        file_name TEXT NOT NULL,
        state TEXT DEFAULT 'reading' NOT NULL,
        reason TEXT DEFAULT '' NOT NULL,
        period_from TIMESTAMP WITH TIME ZONE,
        period_to TIMESTAMP WITH TIME ZONE,
        lines INTEGER DEFAULT '0' NOT NULL,
        refused INTEGER DEFAULT '0' NOT NULL,
        results JSONB DEFAULT '{}'::jsonb NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_supplier_statement PRIMARY KEY (id),
        CONSTRAINT uq_supplier_statement_merchant_id_digest UNIQUE (merchant_id, digest),
        CONSTRAINT ck_supplier_statement_state_known CHECK (state IN ('reading', 'completed',
            'failed')),
        CONSTRAINT ck_supplier_statement_ended_has_time CHECK ((state = 'reading') = (ended_at
            IS NULL))
    )
    """,
    """
    CREATE INDEX ix_supplier_statement_merchant_id_id ON supplier_statement (merchant_id, id)
    """,
    """
    CREATE TABLE supplier_statement_line (
        statement_id UUID NOT NULL,
        line INTEGER NOT NULL,
        purchase_id UUID,
        reference TEXT NOT NULL,
        supplier_reference TEXT NOT NULL,
        amount_minor BIGINT,
        currency TEXT NOT NULL,
        status TEXT NOT NULL,
        happened_at TIMESTAMP WITH TIME ZONE,
        refused TEXT DEFAULT '' NOT NULL,
        CONSTRAINT pk_supplier_statement_line PRIMARY KEY (statement_id, line),
        CONSTRAINT fk_supplier_statement_line_statement_id_supplier_statement FOREIGN
            KEY(statement_id) REFERENCES supplier_statement (id)
    )
    """,
    """
    CREATE INDEX ix_supplier_statement_line_purchase_id ON supplier_statement_line
            (statement_id, purchase_id)
    """,
)
# A purchase is for a line of an order or for a procurement; so is what a person is asked about one.
_EXTENSIONS = (
    """
    ALTER TABLE purchase
      ALTER COLUMN order_id DROP NOT NULL, ALTER COLUMN line_id DROP NOT NULL,
      ALTER COLUMN delivery_id DROP NOT NULL, ALTER COLUMN task_id DROP NOT NULL,
      ADD COLUMN procurement_id uuid, ADD COLUMN pool_id uuid,
      ADD COLUMN recheck_at timestamptz,
      ADD COLUMN rechecks smallint NOT NULL DEFAULT '0',
      ADD CONSTRAINT fk_purchase_procurement_id_procurement
        FOREIGN KEY (procurement_id) REFERENCES procurement (id),
      ADD CONSTRAINT uq_purchase_procurement_id_generation UNIQUE (procurement_id, generation),
      ADD CONSTRAINT ck_purchase_for_a_line_or_for_stock CHECK (
        (delivery_id IS NULL) = (procurement_id IS NOT NULL)
        AND (delivery_id IS NULL) = (task_id IS NULL)
        AND (delivery_id IS NULL) = (order_id IS NULL)
        AND (delivery_id IS NULL) = (line_id IS NULL)
        AND (delivery_id IS NULL OR pool_id IS NULL))
    """,
    """
    CREATE UNIQUE INDEX uq_purchase_procurement_id_open ON purchase (procurement_id)
    WHERE state NOT IN ('done', 'failed')
    """,
    """
    CREATE INDEX ix_purchase_recheck_at ON purchase (recheck_at) WHERE recheck_at IS NOT NULL
    """,
    """
    ALTER TABLE manual_task
      ALTER COLUMN order_id DROP NOT NULL, ALTER COLUMN delivery_id DROP NOT NULL,
      ALTER COLUMN task_id DROP NOT NULL, ADD COLUMN procurement_id uuid,
      ADD CONSTRAINT fk_manual_task_procurement_id_procurement
        FOREIGN KEY (procurement_id) REFERENCES procurement (id),
      ADD CONSTRAINT ck_manual_task_about_a_line_or_about_stock CHECK (
        (delivery_id IS NULL) = (procurement_id IS NOT NULL)
        AND (delivery_id IS NULL) = (task_id IS NULL)
        AND (delivery_id IS NULL) = (order_id IS NULL))
    """,
)
_BACK = (
    "DELETE FROM arrival_box",
    "DELETE FROM arrival",
    "DELETE FROM manual_task WHERE procurement_id IS NOT NULL",
    "DELETE FROM purchase WHERE procurement_id IS NOT NULL",
    """
    ALTER TABLE manual_task DROP COLUMN procurement_id CASCADE,
      ALTER COLUMN order_id SET NOT NULL, ALTER COLUMN delivery_id SET NOT NULL,
      ALTER COLUMN task_id SET NOT NULL
    """,
    """
    ALTER TABLE purchase DROP COLUMN procurement_id CASCADE, DROP COLUMN pool_id,
      DROP COLUMN recheck_at, DROP COLUMN rechecks,
      ALTER COLUMN order_id SET NOT NULL, ALTER COLUMN line_id SET NOT NULL,
      ALTER COLUMN delivery_id SET NOT NULL, ALTER COLUMN task_id SET NOT NULL
    """,
)
