from sqlalchemy import Column, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time
from order.tables import metadata

order_delivery = Table(
    "order_delivery",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False, index=True),
    Column("line_id", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    Column("url", Text, nullable=False, server_default=""),
    # [[unit id, mask], ...]: never a code.
    Column("units", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("reason", Text, nullable=False, server_default=""),
    clock_time("updated_at"),
)
