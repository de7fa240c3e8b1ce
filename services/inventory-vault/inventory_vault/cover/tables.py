from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    Table,
    Uuid,
    func,
    text,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

# How much a pool had sold by when: one row an hour, kept for eight days.
pool_sample = Table(
    "pool_sample",
    metadata,
    Column("pool_id", Uuid, primary_key=True),
    Column("taken_at", MOMENT, primary_key=True, server_default=func.clock_timestamp()),
    Column("merchant_id", Uuid, nullable=False),
    Column("sold", BigInteger, nullable=False),
    CheckConstraint("sold >= 0", name="sold"),
)

# What the samples say. `is_low` is true from the crossing until the cover is well above it again.
pool_pace = Table(
    "pool_pace",
    metadata,
    Column("pool_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("sold_per_day", Float),
    Column("is_low", Boolean, nullable=False, server_default=text("false")),
    Column("measured_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
)
