"""Payment providers' accounts, checkouts and notices (pre: the code needs them)."""

from alembic import op

from kit import tenancy

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE payment_account (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      provider TEXT NOT NULL,
      name TEXT NOT NULL,
      settings JSONB NOT NULL,
      secret_names TEXT[] NOT NULL,
      key_id TEXT NOT NULL,
      sealed BYTEA NOT NULL,
      is_active BOOLEAN DEFAULT true NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_payment_account PRIMARY KEY (id),
      CONSTRAINT ck_payment_account_is_sealed CHECK (octet_length(sealed) >= 40)
    )
    """,
    "CREATE INDEX ix_payment_account_merchant_id_id ON payment_account (merchant_id, id)",
    "CREATE INDEX ix_payment_account_provider ON payment_account (provider)",
    """
    CREATE TABLE payment_checkout (
      id UUID NOT NULL,
      order_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      account_id UUID NOT NULL,
      provider TEXT NOT NULL,
      method TEXT NOT NULL,
      return_url TEXT DEFAULT '' NOT NULL,
      payer TEXT DEFAULT '' NOT NULL,
      amount_minor BIGINT NOT NULL,
      currency TEXT NOT NULL,
      state TEXT NOT NULL,
      session TEXT DEFAULT '' NOT NULL,
      provider_reference TEXT DEFAULT '' NOT NULL,
      handover JSONB DEFAULT '{}'::jsonb NOT NULL,
      expires_at timestamptz NOT NULL,
      asked INTEGER DEFAULT '0' NOT NULL,
      next_at timestamptz NOT NULL,
      last_error TEXT,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_payment_checkout PRIMARY KEY (id),
      CONSTRAINT ck_payment_checkout_amount_positive CHECK (amount_minor > 0),
      CONSTRAINT ck_payment_checkout_state_known CHECK (state IN ('opening', 'open', 'paid',
          'failed', 'closed')),
      CONSTRAINT fk_payment_checkout_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
    )
    """,
    """
    CREATE UNIQUE INDEX uq_payment_checkout_live ON payment_checkout (order_id, account_id, method)
          WHERE state IN ('opening', 'open')
    """,
    """
    CREATE INDEX ix_payment_checkout_due ON payment_checkout (next_at)
          WHERE state IN ('opening', 'open')
    """,
    "CREATE INDEX ix_payment_checkout_order_id ON payment_checkout (order_id)",
    """
    CREATE TABLE payment_notice (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      account_id UUID NOT NULL,
      provider TEXT NOT NULL,
      source TEXT NOT NULL,
      event_id TEXT NOT NULL,
      event TEXT NOT NULL,
      kind TEXT NOT NULL,
      order_id UUID,
      checkout_id UUID,
      provider_reference TEXT NOT NULL,
      amount_minor BIGINT,
      currency TEXT,
      body_hash BYTEA NOT NULL,
      verdict TEXT NOT NULL,
      detail TEXT DEFAULT '' NOT NULL,
      times INTEGER DEFAULT '1' NOT NULL,
      received_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      last_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_payment_notice PRIMARY KEY (id),
      CONSTRAINT uq_payment_notice_account_id_event_id UNIQUE (account_id, event_id),
      CONSTRAINT ck_payment_notice_source_known CHECK (source IN ('callback', 'query')),
      CONSTRAINT ck_payment_notice_verdict_known CHECK (verdict IN ('received', 'taken',
          'not_taken', 'contradicted', 'unconfirmed', 'unmatched', 'noted', 'ignored', 'refused'))
    )
    """,
    "CREATE INDEX ix_payment_notice_merchant_id_id ON payment_notice (merchant_id, id)",
    "CREATE INDEX ix_payment_notice_order_id ON payment_notice (order_id)",
)


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
    for table in ("payment_account", "payment_checkout", "payment_notice"):
        tenancy.guard(op, table)


def downgrade() -> None:
    for table in ("payment_notice", "payment_checkout", "payment_account"):
        op.execute(f"DROP TABLE {table}")
