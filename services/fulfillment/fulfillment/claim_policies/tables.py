from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
)

from kit.db import clock_time


def claim_policy_tables(metadata: MetaData) -> None:
    """Adds this slice's table to the service's metadata."""
    Table(
        "claim_policy",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        # Empty: every product that has no policy of its own.
        Column("sku", Text, primary_key=True),
        Column("auto_unseen", Boolean, nullable=False),
        Column("auto_hours", Integer, nullable=False),
        Column("auto_lot_claims_min", Integer, nullable=False),
        # Rates in basis points: 100 is one claim in a hundred units.
        Column("auto_lot_rate", Integer, nullable=False),
        Column("buyer_claims_max", Integer, nullable=False),
        Column("buyer_days", Integer, nullable=False),
        Column("warranty_hours", Integer, nullable=False),
        Column("when_short", Text, nullable=False),
        Column("watches_lots", Boolean, nullable=False),
        Column("lot_claims_min", Integer, nullable=False),
        Column("lot_norm", Integer, nullable=False),
        clock_time("updated_at"),
        CheckConstraint("when_short IN ('wait', 'refund')", name="when_short_known"),
        CheckConstraint("lot_claims_min >= 2", name="lot_claims_min"),
    )
