from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    Table,
    Text,
    Uuid,
    func,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

# A trigger keeps the row as it is from the lot's first redemption on.
voucher_terms = Table(
    "voucher_terms",
    metadata,
    Column("lot_id", Uuid, ForeignKey("lot.id", ondelete="CASCADE"), primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("face_value", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("valid_from", MOMENT),
    Column("per_buyer", Integer),
    Column("per_shop", Integer),
    Column("set_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("face_value >= 1", name="face_value"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    CheckConstraint("per_buyer >= 1 AND per_shop >= 1", name="limits"),
)
