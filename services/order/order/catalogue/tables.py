from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from order.tables import metadata

product = Table(
    "product",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, ForeignKey("merchant.id"), nullable=False),
    Column("sku", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # What the kind needs, e.g. {"pool_id": ...}: each kind has its own members.
    Column("fulfillment", JSONB, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("instructions", Text, nullable=False, server_default=""),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Column(
        "updated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    UniqueConstraint("merchant_id", "sku"),
    CheckConstraint("price_minor >= 0", name="price_not_negative"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
    Index("ix_product_merchant_id_id", "merchant_id", "id"),
)
