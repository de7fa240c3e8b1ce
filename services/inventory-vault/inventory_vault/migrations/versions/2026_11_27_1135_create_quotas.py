"""Channels' quotas on one stock (pre: the code needs them)."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OPEN_SHELVES = """
CREATE FUNCTION vault_open_shelves(wanted uuid[]) RETURNS TABLE (
  pool_id uuid, merchant_id uuid, name text, unit_kind text, low_stock_threshold integer,
  low_cover_days integer, hold_budget jsonb, created_at timestamptz,
  lot_id uuid, next_seq integer, ahead integer, free_count integer, gaps_ahead integer,
  stale boolean, quota_buffer integer)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM pool p WHERE p.id = ANY(wanted) ORDER BY p.id FOR NO KEY UPDATE;
  RETURN QUERY
  SELECT p.id, p.merchant_id, p.name, p.unit_kind, p.low_stock_threshold, p.low_cover_days,
    p.hold_budget, p.created_at, l.id, l.next_seq, l.size - l.next_seq + 1 - l.gaps_ahead,
    l.free_count, l.gaps_ahead,
    l.mixed_expiry AND coalesce(l.head_expires_at <= clock_timestamp(), false), p.quota_buffer
  FROM pool p LEFT JOIN lot l ON l.pool_id = p.id AND l.has_stock AND l.state = 'on_shelf'
    AND (l.mixed_expiry OR l.head_expires_at IS NULL OR l.head_expires_at > clock_timestamp())
  WHERE p.id = ANY(wanted)
  ORDER BY p.id, l.head_expires_at NULLS LAST, l.id;
END $$
"""
# As the migration before left it.
OPEN_SHELVES_BEFORE = OPEN_SHELVES.replace(", quota_buffer integer", "").replace(
    ", p.quota_buffer", ""
)


def upgrade() -> None:
    op.add_column("pool", sa.Column("quota_buffer", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_pool_quota_buffer"), "pool", "quota_buffer >= 0")
    op.create_table(
        "channel_quota",
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("guaranteed", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("guaranteed >= 1", name=op.f("ck_channel_quota_guaranteed")),
        sa.CheckConstraint("taken >= 0", name=op.f("ck_channel_quota_taken")),
        sa.PrimaryKeyConstraint("pool_id", "channel_id", name=op.f("pk_channel_quota")),
    )
    op.create_table(
        "quota_use",
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.CheckConstraint("units >= 1", name=op.f("ck_quota_use_units")),
        sa.PrimaryKeyConstraint("reservation_id", "pool_id", name=op.f("pk_quota_use")),
    )
    op.create_index("ix_quota_use_pool_id", "quota_use", ["pool_id"])
    op.execute("DROP FUNCTION vault_open_shelves")
    op.execute(OPEN_SHELVES)


def downgrade() -> None:
    op.execute("DROP FUNCTION vault_open_shelves")
    op.execute(OPEN_SHELVES_BEFORE)
    for table in ("quota_use", "channel_quota"):
        op.drop_table(table)
    op.drop_column("pool", "quota_buffer")
