from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Table,
    Uuid,
    text,
)

from kit.db import clock_time
from order.tables import metadata

# A replica of the vault's stock, as far as buyers are told of it: the vault decides what is sold.
pool_stock = Table(
    "pool_stock",
    metadata,
    Column("pool_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("is_out", Boolean, nullable=False),
    # Units that came back and of which nobody who waits was told yet.
    Column("units_back", BigInteger, nullable=False, server_default=text("0")),
    clock_time("changed_at"),
    # When the vault was asked about a sold-out pool: a hold that is given back is no event.
    clock_time("asked_at"),
    CheckConstraint("units_back >= 0", name="units_not_negative"),
    CheckConstraint("NOT is_out OR units_back = 0", name="out_has_no_units"),
    Index("ix_pool_stock_out", "asked_at", postgresql_where=text("is_out")),
)
