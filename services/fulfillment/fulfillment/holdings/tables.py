from sqlalchemy import Column, MetaData, Table, Text, UniqueConstraint, Uuid

from kit.db import clock_time


def holding_tables(metadata: MetaData) -> None:
    """Adds this slice's table to the service's metadata."""
    # What a buyer's links name. With another id all earlier links of the buyer have ended.
    Table(
        "holding_page",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("customer_id", Text, nullable=False),
        clock_time("created_at"),
        UniqueConstraint("merchant_id", "customer_id"),
    )
