"""Tables of this slice: messages that are read in the shop's own app."""

from sqlalchemy import Column, DateTime, Index, LargeBinary, MetaData, Table, Text, Uuid

from kit.db import clock_time


def inbox_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "inbox_message",
        metadata,
        # The message's id: it lies in an inbox once.
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("customer_id", Text, nullable=False),
        Column("order_id", Uuid, nullable=False),
        # Subject and body, sealed: they may hold a link that opens the order.
        Column("content", LargeBinary, nullable=False),
        clock_time("created_at"),
        Column("read_at", DateTime(timezone=True)),
        Index("ix_inbox_message_merchant_id_customer_id_id", "merchant_id", "customer_id", "id"),
        Index("ix_inbox_message_created_at", "created_at"),
    )
