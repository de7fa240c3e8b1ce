from sqlalchemy import CheckConstraint, Column, DateTime, Index, Table, Text, Uuid, func

from inventory_vault.metadata import metadata

# Append-only: who took what off the shelf, or put it back, and why. Without a unit: the whole lot.
stock_action = Table(
    "stock_action",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("lot_id", Uuid, nullable=False),
    Column("unit_id", Uuid),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column(
        "acted_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    CheckConstraint("action IN ('quarantine', 'restore', 'void', 'activate')", name="action"),
    Index("ix_stock_action_lot_id", "lot_id", "id"),
)
