"""The table of this slice."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from kit.db import clock_time


def fulfiller_tables(metadata: MetaData) -> None:
    """Adds this slice's table to the service's metadata."""
    Table(
        "fulfiller",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("name", Text, nullable=False),
        Column("url", Text, nullable=False),
        # Sealed for this row.
        Column("secret", LargeBinary, nullable=False),
        Column("timeout_seconds", Float, nullable=False),
        Column("deadline_seconds", Float, nullable=False),
        Column("queue", Text, nullable=False, server_default=""),
        Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
        clock_time("created_at"),
        UniqueConstraint("merchant_id", "name"),
        CheckConstraint("timeout_seconds > 0", name="timeout_positive"),
        CheckConstraint("deadline_seconds > 0", name="deadline_positive"),
    )
