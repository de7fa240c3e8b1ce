from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

# One open row per kind and object: what happens again is counted, not listed again.
alarm = Table(
    "alarm",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("object_id", Uuid, nullable=False),
    Column("details", JSONB, nullable=False),
    Column("count", Integer, nullable=False, server_default="1"),
    Column("raised_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("last_raised_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("closed_at", MOMENT),
    Column("closed_by", Text),
    Column("resolution", Text),
    CheckConstraint("count >= 1", name="count"),
    Index("ix_alarm_merchant_id_id", "merchant_id", "id"),
    Index(
        "uq_alarm_open",
        "kind",
        "object_id",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
    ),
)
