"""The table of this slice."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)


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
        Column(
            "created_at",
            DateTime(timezone=True),
            nullable=False,
            server_default=func.clock_timestamp(),
        ),
        UniqueConstraint("merchant_id", "name"),
        CheckConstraint("timeout_seconds > 0", name="timeout_positive"),
        CheckConstraint("deadline_seconds > 0", name="deadline_positive"),
    )
