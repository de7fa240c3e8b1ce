"""Tables of this slice: which words of a supplier about a purchase we have heard, and how often."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Uuid,
)

from kit.db import clock_time


def supplier_callback_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "supplier_callback",
        metadata,
        Column("purchase_id", Uuid, ForeignKey("purchase.id"), primary_key=True),
        # SHA-256 of the body: what it said is not kept.
        Column("digest", LargeBinary, primary_key=True),
        Column("times", Integer, nullable=False, server_default="1"),
        clock_time("heard_at"),
        CheckConstraint("times > 0", name="times_positive"),
    )
