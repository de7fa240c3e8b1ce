"""Promotions, price lists, coupons (pre: the code needs it)."""

from alembic import op

from kit import tenancy

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UP = (
    """
    ALTER TABLE product
      ADD COLUMN tiers JSONB DEFAULT '[]'::jsonb NOT NULL,
      ADD COLUMN allow_rising BOOLEAN DEFAULT false NOT NULL,
      ADD COLUMN cost_minor BIGINT,
      ADD COLUMN cost_currency TEXT,
      ADD CONSTRAINT ck_product_cost_not_negative CHECK (cost_minor >= 0),
      ADD CONSTRAINT ck_product_cost_has_currency
        CHECK ((cost_minor IS NULL) = (cost_currency IS NULL))
    """,
    """
    CREATE TABLE price_book (
      merchant_id UUID NOT NULL,
      edition UUID NOT NULL,
      rounding JSONB,
      CONSTRAINT pk_price_book PRIMARY KEY (merchant_id)
    )
    """,
    """
    CREATE TABLE price_rule (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      version INTEGER DEFAULT '1' NOT NULL,
      priority INTEGER DEFAULT '0' NOT NULL,
      channel_ids UUID[] DEFAULT '{}' NOT NULL,
      groups TEXT[] DEFAULT '{}' NOT NULL,
      valid_from timestamptz,
      valid_to timestamptz,
      currency TEXT,
      is_active BOOLEAN DEFAULT true NOT NULL,
      terms JSONB NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_price_rule PRIMARY KEY (id),
      CONSTRAINT ck_price_rule_kind_known CHECK (kind IN ('price_list', 'promotion', 'coupon',
          'margin_floor')),
      CONSTRAINT ck_price_rule_version_positive CHECK (version > 0),
      CONSTRAINT ck_price_rule_window CHECK (valid_to > valid_from),
      CONSTRAINT ck_price_rule_currency_code CHECK (currency ~ '^[A-Z]{3}$')
    )
    """,
    "CREATE INDEX ix_price_rule_merchant_id_kind_id ON price_rule (merchant_id, kind, id)",
    """
    CREATE INDEX ix_price_rule_in_book ON price_rule (merchant_id)
      WHERE is_active AND kind <> 'coupon'
    """,
    """
    CREATE TABLE price_entry (
      rule_id UUID NOT NULL,
      sku TEXT NOT NULL,
      merchant_id UUID NOT NULL,
      ladder JSONB NOT NULL,
      CONSTRAINT pk_price_entry PRIMARY KEY (rule_id, sku),
      CONSTRAINT fk_price_entry_rule_id_price_rule FOREIGN KEY(rule_id) REFERENCES price_rule (id)
    )
    """,
    """
    CREATE TABLE price_limit (
      rule_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      uses_max INTEGER,
      uses_per_buyer_max INTEGER,
      budget_minor BIGINT,
      uses INTEGER DEFAULT '0' NOT NULL,
      spent_minor BIGINT DEFAULT '0' NOT NULL,
      CONSTRAINT pk_price_limit PRIMARY KEY (rule_id),
      CONSTRAINT ck_price_limit_not_negative CHECK (uses >= 0 AND spent_minor >= 0),
      CONSTRAINT ck_price_limit_uses CHECK (uses <= uses_max),
      CONSTRAINT ck_price_limit_budget CHECK (spent_minor <= budget_minor),
      CONSTRAINT fk_price_limit_rule_id_price_rule FOREIGN KEY(rule_id) REFERENCES price_rule (id)
    )
    """,
    """
    CREATE TABLE coupon_batch (
      id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      rule_id UUID NOT NULL,
      quantity INTEGER NOT NULL,
      prefix TEXT DEFAULT '' NOT NULL,
      created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_coupon_batch PRIMARY KEY (id),
      CONSTRAINT fk_coupon_batch_rule_id_price_rule FOREIGN KEY(rule_id) REFERENCES price_rule (id)
    )
    """,
    "CREATE INDEX ix_coupon_batch_rule_id_id ON coupon_batch (rule_id, id)",
    """
    CREATE TABLE coupon_code (
      code_hash BYTEA NOT NULL,
      merchant_id UUID NOT NULL,
      rule_id UUID NOT NULL,
      batch_id UUID,
      used_by UUID,
      CONSTRAINT pk_coupon_code PRIMARY KEY (code_hash),
      CONSTRAINT ck_coupon_code_hash_size CHECK (octet_length(code_hash) = 32),
      CONSTRAINT ck_coupon_code_shared_is_not_used
        CHECK (used_by IS NULL OR batch_id IS NOT NULL),
      CONSTRAINT fk_coupon_code_rule_id_price_rule FOREIGN KEY(rule_id) REFERENCES price_rule (id),
      CONSTRAINT fk_coupon_code_batch_id_coupon_batch FOREIGN KEY(batch_id)
        REFERENCES coupon_batch (id)
    )
    """,
    "CREATE INDEX ix_coupon_code_rule_id ON coupon_code (rule_id)",
    """
    CREATE TABLE price_use (
      order_id UUID NOT NULL,
      rule_id UUID NOT NULL,
      merchant_id UUID NOT NULL,
      customer_id TEXT NOT NULL,
      contact_hash TEXT,
      code_hash BYTEA,
      discount_minor BIGINT NOT NULL,
      returns_on_refund BOOLEAN DEFAULT false NOT NULL,
      used_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      returned_at timestamptz,
      CONSTRAINT pk_price_use PRIMARY KEY (order_id, rule_id),
      CONSTRAINT ck_price_use_discount_positive CHECK (discount_minor > 0),
      CONSTRAINT fk_price_use_rule_id_price_rule FOREIGN KEY(rule_id) REFERENCES price_rule (id)
    )
    """,
    """
    CREATE INDEX ix_price_use_rule_id_customer_id ON price_use (rule_id, customer_id)
      WHERE returned_at IS NULL
    """,
    """
    CREATE INDEX ix_price_use_rule_id_contact_hash ON price_use (rule_id, contact_hash)
      WHERE returned_at IS NULL
    """,
    """
    CREATE TABLE coupon_miss (
      merchant_id UUID NOT NULL,
      source TEXT NOT NULL,
      since timestamptz NOT NULL,
      misses INTEGER NOT NULL,
      CONSTRAINT pk_coupon_miss PRIMARY KEY (merchant_id, source),
      CONSTRAINT ck_coupon_miss_misses_positive CHECK (misses > 0)
    )
    """,
    "CREATE INDEX ix_coupon_miss_since ON coupon_miss (since)",
)
_TABLES = (
    "coupon_miss",
    "price_use",
    "coupon_code",
    "coupon_batch",
    "price_limit",
    "price_entry",
    "price_rule",
    "price_book",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)
    for table in _TABLES:
        tenancy.guard(op, table)


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute(
        "ALTER TABLE product DROP COLUMN tiers, DROP COLUMN allow_rising, DROP COLUMN cost_minor, "
        "DROP COLUMN cost_currency"
    )
