from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time
from order.tables import metadata

# Who took which orders out of the system. Rows are never deleted.
order_export = Table(
    "order_export",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("requested_by", Text, nullable=False),
    # Hashes in place of contacts.
    Column("filter", JSONB, nullable=False),
    Column("has_contacts", Boolean, nullable=False),
    # Counted before they are handed out: never fewer than somebody has.
    Column("orders", BigInteger, nullable=False, server_default=text("0")),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    clock_time("started_at"),
    # Null while it runs, and for ever when the caller hung up.
    Column("finished_at", DateTime(timezone=True)),
    Index("ix_order_export_merchant_id_id", "merchant_id", "id"),
)
