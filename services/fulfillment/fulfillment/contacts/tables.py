"""Tables of this slice: how buyers can be reached, sealed."""

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)

from kit.db import clock_time


def contact_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "contact",
        metadata,
        # No foreign key: an order that is challenged is known by its contact before its request.
        Column("order_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("customer_id", Text, nullable=False, server_default=""),
        Column("locale", Text, nullable=False, server_default=""),
        Column("template", Text, nullable=False, server_default=""),
        # Both addresses, sealed for this order.
        Column("addresses", LargeBinary, nullable=False),
        clock_time("created_at"),
        Index("ix_contact_created_at", "created_at"),
    )
