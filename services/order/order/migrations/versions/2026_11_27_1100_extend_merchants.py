"""Channels' rules, roles, key restrictions, row-level security (pre: the code needs it)."""

from alembic import op

from kit import tenancy

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MERCHANT = """
    ALTER TABLE merchant
      ADD COLUMN suspended_at timestamptz,
      ADD COLUMN suspended_reason TEXT DEFAULT '' NOT NULL
    """
_CHANNEL = """
    ALTER TABLE channel
      ADD COLUMN price_list_id UUID,
      ADD COLUMN fee_basis_points INTEGER DEFAULT '0' NOT NULL,
      ADD COLUMN fee_fixed_minor BIGINT DEFAULT '0' NOT NULL,
      ADD COLUMN fee_bearer TEXT DEFAULT 'merchant' NOT NULL,
      ADD COLUMN allowed_skus TEXT[] DEFAULT '{}' NOT NULL,
      ADD COLUMN denied_skus TEXT[] DEFAULT '{}' NOT NULL,
      ADD COLUMN region TEXT,
      ADD COLUMN min_valid_seconds INTEGER DEFAULT '0' NOT NULL,
      ADD CONSTRAINT ck_channel_fee_share CHECK (fee_basis_points BETWEEN 0 AND 10000),
      ADD CONSTRAINT ck_channel_fee_not_negative CHECK (fee_fixed_minor >= 0),
      ADD CONSTRAINT ck_channel_fee_bearer_known CHECK (fee_bearer IN ('merchant', 'platform')),
      ADD CONSTRAINT ck_channel_min_valid_not_negative CHECK (min_valid_seconds >= 0)
    """

_GUARDED = ("channel", "issued_key", "product", "orders", "order_payment", "order_refund")


def upgrade() -> None:
    op.execute(_MERCHANT)
    op.execute(_CHANNEL)
    op.execute("ALTER TABLE issued_key ADD COLUMN role TEXT")
    tenancy.guard(op, "merchant", column="id")
    for table in _GUARDED:
        tenancy.guard(op, table)


def downgrade() -> None:
    for table in (*_GUARDED, "merchant"):
        tenancy.unguard(op, table)
    op.execute("ALTER TABLE issued_key DROP COLUMN role")
    for column in (
        "min_valid_seconds",
        "region",
        "denied_skus",
        "allowed_skus",
        "fee_bearer",
        "fee_fixed_minor",
        "fee_basis_points",
        "price_list_id",
    ):
        op.execute(f"ALTER TABLE channel DROP COLUMN {column}")
    for column in ("suspended_reason", "suspended_at"):
        op.execute(f"ALTER TABLE merchant DROP COLUMN {column}")
