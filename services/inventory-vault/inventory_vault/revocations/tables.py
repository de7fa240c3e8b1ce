from sqlalchemy import Column, DateTime, Index, Table, Text, Uuid, func

from inventory_vault.metadata import metadata

# Append-only: a unit that is out of use stays so.
unit_revocation = Table(
    "unit_revocation",
    metadata,
    Column("unit_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("lot_id", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column(
        "revoked_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Index("ix_unit_revocation_lot_id", "lot_id"),
)
