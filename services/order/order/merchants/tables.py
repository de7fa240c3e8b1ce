from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Index, Table, Text, Uuid, func, true

from order.tables import metadata

merchant = Table(
    "merchant",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
)

channel = Table(
    "channel",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, ForeignKey("merchant.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("is_trusted", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Index("ix_channel_merchant_id_id", "merchant_id", "id"),
)
