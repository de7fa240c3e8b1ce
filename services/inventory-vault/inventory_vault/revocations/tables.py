from sqlalchemy import Column, Index, Table, Text, Uuid

from inventory_vault.metadata import metadata
from kit.db import clock_time

# Append-only: a unit that is out of use stays so.
unit_revocation = Table(
    "unit_revocation",
    metadata,
    Column("unit_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("lot_id", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    clock_time("revoked_at"),
    Index("ix_unit_revocation_lot_id", "lot_id"),
)
