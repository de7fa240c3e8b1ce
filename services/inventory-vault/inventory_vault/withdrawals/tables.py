from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from inventory_vault.metadata import metadata
from kit.db import clock_time

# Append-only: who took what off the shelf, or put it back, and why: one unit, a lot whole, or what
# a filter named.
stock_action = Table(
    "stock_action",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("lot_id", Uuid),
    Column("unit_id", Uuid),
    # Of an act by filter: what it named, and how many units it moved.
    Column("pool_id", Uuid),
    Column("filter", JSONB),
    Column("units", Integer),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    clock_time("acted_at"),
    CheckConstraint("action IN ('quarantine', 'restore', 'void', 'activate')", name="action"),
    CheckConstraint(
        "(lot_id IS NOT NULL) <> (pool_id IS NOT NULL AND filter IS NOT NULL AND units >= 0)",
        name="object",
    ),
    Index("ix_stock_action_lot_id", "lot_id", "id"),
    Index("ix_stock_action_merchant_id_id", "merchant_id", "id"),
)
