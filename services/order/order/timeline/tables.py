from sqlalchemy import BigInteger, Column, Identity, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time
from order.tables import metadata

# No foreign key to orders: entries are written in the order's own transaction, millions of times.
order_timeline = Table(
    "order_timeline",
    metadata,
    Column("id", BigInteger, Identity(always=True, cache=1), primary_key=True),
    Column("order_id", Uuid, nullable=False),
    clock_time("at"),
    Column("kind", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    Index("ix_order_timeline_order_id_id", "order_id", "id"),
)
