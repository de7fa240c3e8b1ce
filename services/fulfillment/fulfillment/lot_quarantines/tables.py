from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from fulfillment.lot_quarantines.domain import QuarantineState
from kit.db import clock_time


def lot_quarantine_tables(metadata: MetaData) -> None:
    """Adds this slice's table to the service's metadata."""
    states = ", ".join(f"'{state.value}'" for state in QuarantineState)
    Table(
        "lot_quarantine",
        metadata,
        # A lot is stopped once until a person puts it back; then the next round may begin.
        Column("lot_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("sku", Text, nullable=False),
        # Whose claim crossed the line.
        Column("order_id", Uuid, nullable=False),
        Column("state", Text, nullable=False, server_default=QuarantineState.DUE.value),
        Column("round", SmallInteger, nullable=False, server_default="1"),
        Column("claims", Integer, nullable=False),
        Column("buyers", Integer, nullable=False),
        Column("sold", Integer, nullable=False),
        # Rates in basis points.
        Column("bound", Integer, nullable=False),
        Column("norm", Integer, nullable=False),
        clock_time("due_at"),
        Column("quarantined_at", DateTime(timezone=True)),
        Column("restored_at", DateTime(timezone=True)),
        Column("restored_by", Text),
        Column("restore_reason", Text, nullable=False, server_default=""),
        # Who tells the vault that it is put back, until `due_at`.
        Column("restore_lease_id", Uuid),
        clock_time("created_at"),
        CheckConstraint(f"state IN ({states})", name="state_known"),
        CheckConstraint(
            "state <> 'restored' OR (restored_at IS NOT NULL AND restored_by IS NOT NULL)",
            name="restored_by_whom",
        ),
        Index("ix_lot_quarantine_merchant_id_lot_id", "merchant_id", "lot_id"),
        Index("ix_lot_quarantine_due", "due_at", postgresql_where=text("state = 'due'")),
    )
