"""Tables of this slice: the code each subject was sent last, as a keyed hash."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)

from kit.db import clock_time


def one_time_code_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "one_time_code",
        metadata,
        # What it opens: one code per subject counts, the one sent last.
        Column("subject", Text, primary_key=True),
        Column("id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("code_hash", LargeBinary, nullable=False),
        Column("tries", Integer, nullable=False, server_default="0"),
        Column("sends", Integer, nullable=False, server_default="1"),
        clock_time("window_from"),
        clock_time("sent_at"),
        Column("expires_at", DateTime(timezone=True), nullable=False),
        Column("used_at", DateTime(timezone=True)),
        CheckConstraint("sends > 0", name="sends_positive"),
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        Index("ix_one_time_code_expires_at", "expires_at"),
    )
