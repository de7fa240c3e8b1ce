from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from inventory_vault.metadata import metadata
from kit.db import clock_time

# The row is also the lock of its shelf: whoever moves a cursor or a free list of the pool's lots
# holds it, so lots need no lock order of their own. Half-empty pages keep those updates local.
pool = Table(
    "pool",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("unit_kind", Text, nullable=False),
    Column("low_stock_threshold", Integer),
    Column("low_cover_days", Integer),
    # {dimension: {share_percent, units_min}}: what one unpaid holder may have.
    Column("hold_budget", JSONB),
    # Units sold within channels' guarantees only; null: no quota.
    Column("quota_buffer", Integer),
    clock_time("created_at"),
    CheckConstraint(
        "unit_kind IN ('card', 'code', 'link', 'image', 'voucher', 'reusable')", name="unit_kind"
    ),
    CheckConstraint("low_stock_threshold >= 0", name="low_stock_threshold"),
    CheckConstraint("low_cover_days >= 1", name="low_cover_days"),
    CheckConstraint("quota_buffer >= 0", name="quota_buffer"),
    Index("ix_pool_merchant_id_id", "merchant_id", "id"),
)
