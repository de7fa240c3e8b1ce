from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    Uuid,
)

from fulfillment.claw_backs.domain import ClawBackState
from kit.db import clock_time


def claw_back_tables(metadata: MetaData) -> None:
    """Adds this slice's table to the service's metadata."""
    states = ", ".join(f"'{state.value}'" for state in ClawBackState)
    Table(
        "claw_back",
        metadata,
        # The claim is the key: a bad unit is owed for once.
        Column("claim_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("channel_id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("lot_id", Uuid, nullable=False),
        Column("unit_id", Uuid, nullable=False),
        Column("supplier", Text, nullable=False),
        Column("sku", Text, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("state", Text, nullable=False, server_default=ClawBackState.NOTED.value),
        Column("reason", Text, nullable=False, server_default=""),
        Column("decided_by", Text),
        Column("decided_at", DateTime(timezone=True)),
        clock_time("noted_at"),
        CheckConstraint(f"state IN ({states})", name="state_known"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("(state = 'noted') = (decided_at IS NULL)", name="decided_has_time"),
        Index("ix_claw_back_merchant_id_claim_id", "merchant_id", "claim_id"),
    )
