"""What happened, one row per order, sold part of a line, lot and claim, as events told it.

Every column only ever goes from unknown to known (a time may move to an earlier one), so events may
come again, late and in any order. The roll-ups follow these rows by triggers: see
migrations/versions/2026_11_27_1830_create_reports.py.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)


def fact_tables(metadata: MetaData) -> None:
    Table(
        "order_fact",
        metadata,
        Column("order_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("channel_id", Uuid),
        # A hash of the shop's name for its buyer; empty while no event told it.
        Column("buyer", Text, nullable=False, server_default=""),
        Column("buyer_group", Text, nullable=False, server_default=""),
        Column("currency", Text),
        Column("total_minor", BigInteger),
        Column("placed_at", DateTime(timezone=True)),
        Column("paid_at", DateTime(timezone=True)),
        Column("delivered_at", DateTime(timezone=True)),
        Column("refunded_at", DateTime(timezone=True)),
        # Cancelled or expired before it was paid.
        Column("ended_at", DateTime(timezone=True)),
        Index(
            "ix_order_fact_buyer",
            "merchant_id",
            "buyer",
            "paid_at",
            "order_id",
            postgresql_where=text("paid_at IS NOT NULL AND buyer <> ''"),
        ),
    )
    # A delivered line's units by the lot they came from (the nil id: from no lot).
    Table(
        "unit_fact",
        metadata,
        Column("order_id", Uuid, primary_key=True),
        Column("line_id", Uuid, primary_key=True),
        Column("lot_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("channel_id", Uuid, nullable=False),
        Column("product_id", Uuid, nullable=False),
        Column("sku", Text, nullable=False),
        Column("buyer_group", Text, nullable=False),
        Column("supplier", Text, nullable=False),
        Column("quantity", Integer, nullable=False),
        # These units' share of the line's price; the shares of a line add up to it.
        Column("share_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("delivered_at", DateTime(timezone=True), nullable=False),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    )
    Table(
        "lot_fact",
        metadata,
        Column("lot_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("supplier", Text, nullable=False),
        Column("imported_at", DateTime(timezone=True), nullable=False),
        Column("expires_at", DateTime(timezone=True)),
    )
    # Claims decided for the buyer, replaced or refunded: the unit was dead.
    Table(
        "claim_fact",
        metadata,
        Column("claim_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("lot_id", Uuid, nullable=False),
        Column("granted_at", DateTime(timezone=True), nullable=False),
        Index("ix_claim_fact_merchant_id", "merchant_id"),
    )
    # Each paid order of a buyer with the one before it and the buyer's first. Kept by a trigger.
    Table(
        "buyer_order",
        metadata,
        Column("order_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("buyer", Text, nullable=False),
        Column("paid_at", DateTime(timezone=True), nullable=False),
        Column("previous_at", DateTime(timezone=True)),
        Column("first_at", DateTime(timezone=True), nullable=False),
        Column("currency", Text, nullable=False),
        Column("total_minor", BigInteger, nullable=False),
    )
    Table(
        "buyer_fact",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("buyer", Text, primary_key=True),
        Column("channel_id", Uuid),
        Column("first_at", DateTime(timezone=True)),
        Column("second_at", DateTime(timezone=True)),
    )
