"""Variants, forms, limits, bundles (pre: the code needs it)."""

from alembic import op

from kit import tenancy

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


# Constants as defaults: no row is rewritten, and rows of the release before stay valid.
_UP = (
    """
    ALTER TABLE product
      ADD COLUMN form JSONB DEFAULT '[]'::jsonb NOT NULL,
      ADD COLUMN sale_from timestamptz,
      ADD COLUMN sale_until timestamptz,
      ADD COLUMN region JSONB DEFAULT '{}'::jsonb NOT NULL,
      ADD COLUMN channels JSONB DEFAULT '[]'::jsonb NOT NULL,
      ADD COLUMN quantity_min INTEGER DEFAULT '1' NOT NULL,
      ADD COLUMN quantity_max INTEGER,
      ADD COLUMN limits JSONB DEFAULT '[]'::jsonb NOT NULL,
      ADD COLUMN template TEXT DEFAULT '' NOT NULL,
      ADD COLUMN redemption JSONB DEFAULT '{}'::jsonb NOT NULL,
      ADD COLUMN translations JSONB DEFAULT '{}'::jsonb NOT NULL,
      ADD COLUMN image_url TEXT DEFAULT '' NOT NULL,
      ADD COLUMN family TEXT,
      ADD COLUMN options JSONB DEFAULT '{}'::jsonb NOT NULL,
      ADD COLUMN version INTEGER DEFAULT '1' NOT NULL,
      ADD CONSTRAINT ck_product_kind_known
        CHECK (kind IN ('pool', 'top_up', 'bundle', 'manual')),
      ADD CONSTRAINT ck_product_sale_window CHECK (sale_from < sale_until),
      ADD CONSTRAINT ck_product_quantities
        CHECK (quantity_min BETWEEN 1 AND coalesce(quantity_max, 10000)),
      ADD CONSTRAINT ck_product_options_of_family
        CHECK (family IS NOT NULL OR options = '{}'::jsonb)
    """,
    """
    CREATE UNIQUE INDEX uq_product_variant ON product (merchant_id, family, options)
      WHERE family IS NOT NULL
    """,
    "ALTER TABLE orders ADD COLUMN customer_region TEXT",
    """
    CREATE TABLE limit_use (
      merchant_id UUID NOT NULL,
      order_id UUID NOT NULL,
      product_id UUID NOT NULL,
      sku TEXT NOT NULL,
      per TEXT NOT NULL,
      subject TEXT NOT NULL,
      quantity INTEGER NOT NULL,
      used_at timestamptz DEFAULT clock_timestamp() NOT NULL,
      CONSTRAINT pk_limit_use PRIMARY KEY (order_id, product_id, per),
      CONSTRAINT ck_limit_use_quantity_positive CHECK (quantity > 0),
      CONSTRAINT ck_limit_use_per_known CHECK (per IN ('buyer', 'ip', 'device', 'everyone'))
    )
    """,
    "CREATE INDEX ix_limit_use_subject ON limit_use (product_id, per, subject, used_at)",
    "CREATE INDEX ix_limit_use_used_at ON limit_use (used_at)",
    """
    ALTER TABLE order_line
      ADD COLUMN image_url TEXT DEFAULT '' NOT NULL,
      ADD COLUMN options JSONB DEFAULT '{}'::jsonb NOT NULL,
      ADD COLUMN terms JSONB DEFAULT '{}'::jsonb NOT NULL,
      ADD COLUMN form JSONB DEFAULT '[]'::jsonb NOT NULL,
      ADD COLUMN template TEXT DEFAULT '' NOT NULL,
      ADD COLUMN region JSONB DEFAULT '{}'::jsonb NOT NULL,
      ADD COLUMN redemption JSONB DEFAULT '{}'::jsonb NOT NULL,
      ADD COLUMN price_derivation JSONB DEFAULT '[]'::jsonb NOT NULL,
      ADD COLUMN bundle_sku TEXT,
      ADD COLUMN bundle_no INTEGER,
      ADD COLUMN bundle_policy TEXT,
      ADD CONSTRAINT ck_order_line_kind_known CHECK (kind IN ('pool', 'top_up', 'manual')),
      ADD CONSTRAINT ck_order_line_pool_of_kind
        CHECK ((kind = 'pool') = (pool_id IS NOT NULL)),
      ADD CONSTRAINT ck_order_line_bundle
        CHECK (num_nonnulls(bundle_sku, bundle_no, bundle_policy) IN (0, 3)),
      ADD CONSTRAINT ck_order_line_bundle_policy_known
        CHECK (bundle_policy IN ('all_or_nothing', 'partial'))
    """,
)
_DOWN = (
    """
    ALTER TABLE order_line
      DROP COLUMN terms, DROP COLUMN form, DROP COLUMN template, DROP COLUMN region,
      DROP COLUMN redemption, DROP COLUMN price_derivation, DROP COLUMN bundle_sku,
      DROP COLUMN bundle_no, DROP COLUMN bundle_policy, DROP COLUMN image_url, DROP COLUMN options,
      DROP CONSTRAINT ck_order_line_kind_known, DROP CONSTRAINT ck_order_line_pool_of_kind
    """,
    "DROP INDEX uq_product_variant",
    """
    ALTER TABLE product
      DROP COLUMN form, DROP COLUMN sale_from, DROP COLUMN sale_until, DROP COLUMN region,
      DROP COLUMN channels, DROP COLUMN quantity_min, DROP COLUMN quantity_max,
      DROP COLUMN limits, DROP COLUMN template, DROP COLUMN redemption,
      DROP COLUMN translations, DROP COLUMN image_url, DROP COLUMN family, DROP COLUMN options,
      DROP COLUMN version, DROP CONSTRAINT ck_product_kind_known
    """,
    "DROP TABLE limit_use",
    "ALTER TABLE orders DROP COLUMN customer_region",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)
    tenancy.guard(op, "limit_use")


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
