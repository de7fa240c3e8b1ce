"""Variants, forms, limits, bundles (pre: the code needs it)."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


# Constants as defaults: no row is rewritten, and rows of the release before stay valid.
_UP = (
    """
    ALTER TABLE product
      ADD CONSTRAINT ck_product_kind_known CHECK (kind IN ('pool', 'top_up', 'bundle', 'manual'))
    """,
    """
    ALTER TABLE order_line
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
      DROP COLUMN bundle_no, DROP COLUMN bundle_policy,
      DROP CONSTRAINT ck_order_line_kind_known, DROP CONSTRAINT ck_order_line_pool_of_kind
    """,
    "ALTER TABLE product DROP CONSTRAINT ck_product_kind_known",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
