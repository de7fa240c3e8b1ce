"""Tables of this slice: what was seen of suppliers' offers, and whose circuit is open."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)


def routing_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "purchase_statistic",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("supplier", Text, primary_key=True),
        Column("supplier_sku", Text, primary_key=True),
        Column("hour", DateTime(timezone=True), primary_key=True),
        Column("outcome", Text, primary_key=True),
        # The class of its latency.
        Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
        Column("number", BigInteger, nullable=False),
        CheckConstraint("number > 0", name="number_positive"),
    )
    Table(
        "supplier_circuit",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("supplier", Text, primary_key=True),
        # In a row, without a sensible answer in between.
        Column("failures", Integer, nullable=False, server_default="0"),
        # How often it opened since it was last closed; each time it stays open for longer.
        Column("openings", Integer, nullable=False, server_default="0"),
        # Null: closed. In the past: one call may try.
        Column("open_until", DateTime(timezone=True)),
        Column("probe_until", DateTime(timezone=True)),
        CheckConstraint("failures >= 0", name="failures_not_negative"),
    )
