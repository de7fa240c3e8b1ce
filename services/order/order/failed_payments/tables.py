from sqlalchemy import Column, ForeignKey, Table, Text, Uuid

from kit.db import clock_time
from order.tables import metadata

failed_payment = Table(
    "failed_payment",
    metadata,
    # A try told twice, or by its callback and when it is asked for, is one.
    Column("order_id", Uuid, ForeignKey("orders.id"), primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    clock_time("told_at"),
)
