"""Settlement between platform and merchants (pre: the code needs it)."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = (
    "prepaid_hold",
    "prepaid_partner",
    "payout",
    "payee",
    "settlement_line",
    "settlement",
    "settlement_volume",
    "split_fee",
    "split_claim",
    "split_refund",
    "split",
    "settlement_rule",
)
UP = (
    """
    CREATE TABLE settlement_rule (
        id UUID NOT NULL,
        merchant_id UUID,
        channel_id UUID,
        product_id UUID,
        currency TEXT NOT NULL,
        version INTEGER NOT NULL,
        valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
        is_enabled BOOLEAN NOT NULL,
        terms JSONB NOT NULL,
        created_by TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_settlement_rule PRIMARY KEY (id),
        CONSTRAINT uq_settlement_rule_scope_version
            UNIQUE NULLS NOT DISTINCT (merchant_id, channel_id, product_id, currency, version),
        CONSTRAINT ck_settlement_rule_currency_code CHECK (currency ~ '^[A-Z]{3}$'),
        CONSTRAINT ck_settlement_rule_scope_has_merchant
            CHECK (merchant_id IS NOT NULL OR (channel_id IS NULL AND product_id IS NULL))
    )
    """,
    """
    CREATE INDEX ix_settlement_rule_merchant_id_id ON settlement_rule (merchant_id, id)
    """,
    """
    CREATE TABLE split (
        line_id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        order_id UUID NOT NULL,
        channel_id UUID NOT NULL,
        product_id UUID,
        sku TEXT NOT NULL,
        currency TEXT NOT NULL,
        rule_id UUID NOT NULL,
        gross_minor BIGINT NOT NULL,
        channel_fee_minor BIGINT NOT NULL,
        share_minor BIGINT NOT NULL,
        platform_minor BIGINT NOT NULL,
        merchant_minor BIGINT NOT NULL,
        fee_bearer TEXT NOT NULL,
        fee_is_receivable BOOLEAN DEFAULT 'false' NOT NULL,
        refund_bearer TEXT NOT NULL,
        reserve_basis_points INTEGER NOT NULL,
        reserve_days INTEGER NOT NULL,
        settled_at TIMESTAMP WITH TIME ZONE NOT NULL,
        available_at TIMESTAMP WITH TIME ZONE NOT NULL,
        pending_minor BIGINT NOT NULL,
        reserved_minor BIGINT DEFAULT '0' NOT NULL,
        refunded_minor BIGINT DEFAULT '0' NOT NULL,
        fee_returned_minor BIGINT DEFAULT '0' NOT NULL,
        released_at TIMESTAMP WITH TIME ZONE,
        reserved_until TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_split PRIMARY KEY (line_id),
        CONSTRAINT ck_split_parts_are_the_whole
            CHECK (channel_fee_minor + platform_minor + merchant_minor = gross_minor),
        CONSTRAINT ck_split_amounts_not_negative
            CHECK (pending_minor >= 0 AND reserved_minor >= 0 AND refunded_minor >= 0)
    )
    """,
    """
    CREATE INDEX ix_split_due ON split (available_at, line_id) WHERE released_at IS NULL
    """,
    """
    CREATE INDEX ix_split_reserved ON split (reserved_until, line_id)
        WHERE reserved_until IS NOT NULL
    """,
    """
    CREATE TABLE split_refund (
        refund_id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        line_id UUID NOT NULL,
        amount_minor BIGINT NOT NULL,
        fee_returned_minor BIGINT DEFAULT '0' NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        applied_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_split_refund PRIMARY KEY (refund_id)
    )
    """,
    """
    CREATE INDEX ix_split_refund_waiting ON split_refund (line_id) WHERE applied_at IS NULL
    """,
    """
    CREATE TABLE split_claim (
        claim_id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        line_id UUID NOT NULL,
        opened_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        decided_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_split_claim PRIMARY KEY (claim_id)
    )
    """,
    """
    CREATE INDEX ix_split_claim_open ON split_claim (line_id) WHERE decided_at IS NULL
    """,
    """
    CREATE TABLE split_fee (
        line_id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        amount_minor BIGINT NOT NULL,
        is_owed_by_platform BOOLEAN NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        applied_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_split_fee PRIMARY KEY (line_id)
    )
    """,
    """
    CREATE TABLE settlement_volume (
        merchant_id UUID NOT NULL,
        scope TEXT NOT NULL,
        currency TEXT NOT NULL,
        month DATE NOT NULL,
        volume_minor BIGINT NOT NULL,
        CONSTRAINT pk_settlement_volume PRIMARY KEY (merchant_id, scope, currency, month)
    )
    """,
    """
    CREATE TABLE settlement (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        currency TEXT NOT NULL,
        period_start TIMESTAMP WITH TIME ZONE,
        period_end TIMESTAMP WITH TIME ZONE NOT NULL,
        state TEXT NOT NULL,
        opening_minor BIGINT NOT NULL,
        closing_minor BIGINT NOT NULL,
        lines BIGINT DEFAULT '0' NOT NULL,
        due_on DATE NOT NULL,
        payout_min_minor BIGINT NOT NULL,
        payout_id UUID,
        created_by TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        closed_at TIMESTAMP WITH TIME ZONE,
        paid_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_settlement PRIMARY KEY (id),
        CONSTRAINT uq_settlement_merchant_id_currency_period_end
            UNIQUE (merchant_id, currency, period_end),
        CONSTRAINT ck_settlement_state_known CHECK (state IN ('open', 'closed', 'paid')),
        CONSTRAINT ck_settlement_closed_at_says_it
            CHECK ((state = 'open') = (closed_at IS NULL)),
        CONSTRAINT ck_settlement_period_order CHECK (period_start < period_end)
    )
    """,
    """
    CREATE INDEX ix_settlement_merchant_id_id ON settlement (merchant_id, id)
    """,
    """
    CREATE UNIQUE INDEX ix_settlement_open ON settlement (merchant_id, currency)
        WHERE state = 'open'
    """,
    """
    CREATE TABLE settlement_line (
        transaction_id UUID NOT NULL,
        line_no SMALLINT NOT NULL,
        settlement_id UUID NOT NULL,
        position BIGINT NOT NULL,
        balance_minor BIGINT NOT NULL,
        CONSTRAINT pk_settlement_line PRIMARY KEY (transaction_id, line_no),
        CONSTRAINT uq_settlement_line_settlement_id_position UNIQUE (settlement_id, position),
        CONSTRAINT fk_settlement_line_settlement_id_settlement
            FOREIGN KEY(settlement_id) REFERENCES settlement (id)
    )
    """,
    """
    CREATE TABLE payee (
        merchant_id UUID NOT NULL,
        name TEXT NOT NULL,
        account TEXT NOT NULL,
        bank TEXT NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_payee PRIMARY KEY (merchant_id)
    )
    """,
    """
    CREATE TABLE payout (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        currency TEXT NOT NULL,
        amount_minor BIGINT NOT NULL,
        state TEXT NOT NULL,
        settlement_id UUID,
        payee_name TEXT NOT NULL,
        payee_account TEXT NOT NULL,
        payee_bank TEXT NOT NULL,
        created_by TEXT NOT NULL,
        approved_by TEXT,
        reason TEXT,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_payout PRIMARY KEY (id),
        CONSTRAINT ck_payout_amount_positive CHECK (amount_minor > 0),
        CONSTRAINT ck_payout_four_eyes CHECK (approved_by <> created_by),
        CONSTRAINT ck_payout_approved
            CHECK (state IN ('proposed', 'rejected') OR approved_by IS NOT NULL),
        CONSTRAINT ck_payout_state_known
            CHECK (state IN
                ('proposed', 'approved', 'sent', 'paid', 'rejected', 'failed', 'returned'))
    )
    """,
    """
    CREATE INDEX ix_payout_merchant_id_id ON payout (merchant_id, id)
    """,
    """
    CREATE UNIQUE INDEX ix_payout_settlement_id ON payout (settlement_id)
        WHERE settlement_id IS NOT NULL
    """,
    """
    CREATE INDEX ix_payout_state_id ON payout (state, id)
    """,
    """
    CREATE TABLE prepaid_partner (
        merchant_id UUID NOT NULL,
        partner TEXT NOT NULL,
        currency TEXT NOT NULL,
        credit_limit_minor BIGINT NOT NULL,
        held_minor BIGINT DEFAULT '0' NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_prepaid_partner PRIMARY KEY (merchant_id, partner, currency),
        CONSTRAINT ck_prepaid_partner_not_negative
            CHECK (credit_limit_minor >= 0 AND held_minor >= 0)
    )
    """,
    """
    CREATE TABLE prepaid_hold (
        id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        partner TEXT NOT NULL,
        currency TEXT NOT NULL,
        channel_id UUID NOT NULL,
        order_id UUID,
        reference TEXT NOT NULL,
        amount_minor BIGINT NOT NULL,
        captured_minor BIGINT DEFAULT '0' NOT NULL,
        state TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_prepaid_hold PRIMARY KEY (id),
        CONSTRAINT uq_prepaid_hold_merchant_id_partner_reference
            UNIQUE (merchant_id, partner, reference),
        CONSTRAINT ck_prepaid_hold_amount_positive CHECK (amount_minor > 0),
        CONSTRAINT ck_prepaid_hold_captured_of_it
            CHECK (captured_minor BETWEEN 0 AND amount_minor),
        CONSTRAINT ck_prepaid_hold_state_known
            CHECK (state IN ('held', 'captured', 'released', 'expired'))
    )
    """,
    """
    CREATE INDEX ix_prepaid_hold_merchant_id_id ON prepaid_hold (merchant_id, id)
    """,
    """
    CREATE INDEX ix_prepaid_hold_held ON prepaid_hold (expires_at, id) WHERE state = 'held'
    """,
    "CREATE INDEX ix_posting_account_id_at ON posting (account_id, at)",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX ix_posting_account_id_at")
    for table in TABLES:
        op.drop_table(table)
