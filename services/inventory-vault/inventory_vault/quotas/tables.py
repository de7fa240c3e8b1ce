from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Uuid

from inventory_vault.metadata import metadata

# A channel's guarantee on a pool with a quota (`pool.quota_buffer` is set). Counted under the
# pool's lock.
channel_quota = Table(
    "channel_quota",
    metadata,
    Column("pool_id", Uuid, primary_key=True),
    Column("channel_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("guaranteed", Integer, nullable=False),
    Column("taken", Integer, nullable=False, server_default="0"),
    CheckConstraint("guaranteed >= 1", name="guaranteed"),
    CheckConstraint("taken >= 0", name="taken"),
)

# What a reservation took of a guarantee, so that giving it back refills the same one; gone once it
# is sold, or the guarantee was set anew.
quota_use = Table(
    "quota_use",
    metadata,
    Column("reservation_id", Uuid, primary_key=True),
    Column("pool_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("channel_id", Uuid, nullable=False),
    Column("units", Integer, nullable=False),
    CheckConstraint("units >= 1", name="units"),
    Index("ix_quota_use_pool_id", "pool_id"),
)
