"""Tables of this slice: what suppliers say that we bought."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time


def supplier_statement_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "supplier_statement",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("supplier", Text, nullable=False),
        # Of the file and how it is read: the same again is the same statement.
        Column("digest", LargeBinary, nullable=False),
        Column("file_name", Text, nullable=False),
        Column("state", Text, nullable=False, server_default="reading"),
        Column("reason", Text, nullable=False, server_default=""),
        Column("period_from", DateTime(timezone=True)),
        Column("period_to", DateTime(timezone=True)),
        Column("lines", Integer, nullable=False, server_default="0"),
        Column("refused", Integer, nullable=False, server_default="0"),
        # How many lines, and purchases of ours, came to which end.
        Column("results", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
        clock_time("created_at"),
        Column("ended_at", DateTime(timezone=True)),
        UniqueConstraint("merchant_id", "digest"),
        CheckConstraint("state IN ('reading', 'completed', 'failed')", name="state_known"),
        CheckConstraint("(state = 'reading') = (ended_at IS NULL)", name="ended_has_time"),
        Index("ix_supplier_statement_merchant_id_id", "merchant_id", "id"),
    )
    Table(
        "supplier_statement_line",
        metadata,
        Column("statement_id", Uuid, ForeignKey("supplier_statement.id"), primary_key=True),
        Column("line", Integer, primary_key=True),
        # Ours, where it is one; as it stood there.
        Column("purchase_id", Uuid),
        Column("reference", Text, nullable=False),
        Column("supplier_reference", Text, nullable=False),
        Column("amount_minor", BigInteger),
        Column("currency", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("happened_at", DateTime(timezone=True)),
        # Why the line cannot be read; empty: it can.
        Column("refused", Text, nullable=False, server_default=""),
        Index("ix_supplier_statement_line_purchase_id", "statement_id", "purchase_id"),
    )
