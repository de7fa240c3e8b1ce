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
)


def rollup_tables(metadata: MetaData) -> None:
    """Roll-ups of keys that many purchases have."""
    _velocity_bucket(metadata)
    _velocity_pair(metadata)


def _velocity_bucket(metadata: MetaData) -> None:
    Table(
        "velocity_bucket",
        metadata,
        Column("key", Uuid, primary_key=True),
        Column("level", Text, primary_key=True),
        Column("start_at", DateTime(timezone=True), primary_key=True),
        Column("currency", Text, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("purchases", Integer, nullable=False),
        Column("quantity", BigInteger, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("unpaid", Integer, nullable=False),
        Column("failed", Integer, nullable=False),
        Column("refunded", Integer, nullable=False),
        CheckConstraint("level IN ('m', 'h', 'd')", name="level_known"),
        Index("ix_velocity_bucket_start_at", "start_at"),
        postgresql_with={"fillfactor": "80"},
    )


def _velocity_pair(metadata: MetaData) -> None:
    # A value's first and last purchase with a key: enough to know whether one lies in a window,
    # but for windows that both lie outside of, on different sides.
    Table(
        "velocity_pair",
        metadata,
        Column("key", Uuid, primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("value", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("first_at", DateTime(timezone=True), nullable=False),
        Column("last_at", DateTime(timezone=True), nullable=False),
        CheckConstraint(
            "kind IN ('ip', 'ip_24', 'device', 'customer', 'contact', 'payer', 'product', "
            "'channel')",
            name="kind_known",
        ),
        CheckConstraint("first_at <= last_at", name="first_not_after_last"),
        Index(
            "ix_velocity_pair_last_at", "key", "kind", "last_at", postgresql_include=["first_at"]
        ),
    )
