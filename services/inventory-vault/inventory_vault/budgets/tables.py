from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, Uuid

from inventory_vault.metadata import metadata

# One row per unpaid hold, pool and dimension, of pools with a budget only; gone as soon as the
# hold is paid for or ends. Written under the pool's lock, so its sums are exact there.
hold_share = Table(
    "hold_share",
    metadata,
    Column("reservation_id", Uuid, primary_key=True),
    Column("pool_id", Uuid, primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("holder", LargeBinary, nullable=False),
    Column("units", Integer, nullable=False),
    CheckConstraint("dimension IN ('buyer', 'ip', 'device', 'channel')", name="dimension"),
    CheckConstraint("octet_length(holder) = 16", name="holder"),
    CheckConstraint("units >= 1", name="units"),
    Index("ix_hold_share_pool_id_dimension_holder", "pool_id", "dimension", "holder"),
)
