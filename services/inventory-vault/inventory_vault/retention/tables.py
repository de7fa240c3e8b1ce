from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

# Append-only: units of one lot whose boxes were overwritten together; each of them names its row.
shredding = Table(
    "shredding",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("lot_id", Uuid, nullable=False),
    Column("source", Text, nullable=False),
    Column("units", Integer, nullable=False),
    # As it was set then: a changed setting makes no old shredding wrong.
    Column("retention_days", Integer, nullable=False),
    Column("shredded_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("source IN ('sale', 'withdrawn', 'lot')", name="source"),
    CheckConstraint("units >= 1", name="units"),
    CheckConstraint("retention_days >= 1", name="retention_days"),
    Index("ix_shredding_lot_id", "lot_id"),
)

# How far the sales and the withdrawn units are shredded, so that a round reads what became due
# only. The row is also the lock: one worker at a time.
shred_progress = Table(
    "shred_progress",
    metadata,
    Column("source", Text, primary_key=True),
    Column("done_until", MOMENT, nullable=False),
    Column("slice_seconds", BigInteger, nullable=False),
    CheckConstraint("slice_seconds >= 1", name="slice_seconds"),
)

# Of a lot that is void or expired as a whole: how far its units are shredded. `next_at` is infinity
# once nothing of it is left.
shredded_lot = Table(
    "shredded_lot",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("through_seq", Integer, nullable=False),
    # Held units are passed over, and looked at again.
    Column("saw_held", Boolean, nullable=False),
    Column("next_at", MOMENT, nullable=False),
    CheckConstraint("through_seq >= 0", name="through_seq"),
)
