from sqlalchemy import Boolean, Column, DateTime, Table, Uuid, func

from inventory_vault.metadata import metadata

# When a lot's rows were last counted against its books: who waits longest is next.
lot_check = Table(
    "lot_check",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("holds", Boolean, nullable=False),
    Column(
        "checked_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
)
