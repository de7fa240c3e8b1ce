from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

from kit.db import clock_time


def velocity_tables(metadata: MetaData) -> None:
    """Purchases as they happened, and one small row for each key each of them counts for."""
    Table(
        "purchase",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("source", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("channel_id", Text, nullable=False),
        Column("reference", Text, nullable=False),
        Column("customer_id", Text, nullable=False),
        Column("ip", Text, nullable=False),
        Column("device_id", Text, nullable=False),
        Column("contact_hash", Text, nullable=False),
        Column("registered_at", DateTime(timezone=True)),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("skus", ARRAY(Text), nullable=False),
        Column("quantities", ARRAY(Integer), nullable=False),
        clock_time("recorded_at"),
        CheckConstraint("source IN ('order', 'shop')", name="source_known"),
        CheckConstraint("cardinality(skus) = cardinality(quantities)", name="lines_paired"),
        Index("ix_purchase_merchant_id_at", "merchant_id", "at"),
    )
    # The row that is locked while a key is counted: without it, two batches in different
    # transactions would not see each other's purchases and both would pass a limit.
    Table(
        "velocity_key",
        metadata,
        Column("key", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("kind", Text, nullable=False),
        Column("purchases_total", BigInteger, nullable=False),
        CheckConstraint("purchases_total > 0", name="purchases_total_positive"),
    )
    Table(
        "velocity_event",
        metadata,
        Column("purchase_id", Uuid, ForeignKey("purchase.id"), primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("key", Uuid, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        # The order of recording: it decides between purchases of the same moment.
        Column("seq", BigInteger, Identity(always=True), nullable=False),
        CheckConstraint("kind IN ('ip', 'device', 'customer', 'contact')", name="kind_known"),
        Index("ix_velocity_event_key_at", "key", "at", postgresql_include=["seq"]),
    )
