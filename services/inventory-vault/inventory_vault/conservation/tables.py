from sqlalchemy import Boolean, Column, Table, Uuid

from inventory_vault.metadata import metadata
from kit.db import clock_time

# When a lot's rows were last counted against its books: who waits longest is next.
lot_check = Table(
    "lot_check",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("holds", Boolean, nullable=False),
    clock_time("checked_at"),
)
