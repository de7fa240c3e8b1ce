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


def reconciliation_tables(metadata: MetaData) -> None:
    # What events said arrived. One payment may be told in parts: they add up by its reference.
    Table(
        "payment_fact",
        metadata,
        Column("event_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("channel_id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("provider", Text, nullable=False),
        Column("reference", Text, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("happened_at", DateTime(timezone=True), nullable=False),
        # The statement that lists it, with whatever amount.
        Column("listed_in", Uuid),
        Index("ix_payment_fact_reference", "merchant_id", "provider", "reference"),
        Index("ix_payment_fact_happened_at", "merchant_id", "happened_at"),
        Index(
            "ix_payment_fact_unlisted", "happened_at", postgresql_where=text("listed_in IS NULL")
        ),
    )
    # What events said left for buyers and channels: refunds, and the channel's fee of an order.
    Table(
        "money_out",
        metadata,
        Column("event_id", Uuid, primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("happened_at", DateTime(timezone=True), nullable=False),
        CheckConstraint("kind IN ('refund', 'fee')", name="kind_known"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("ix_money_out_order_id", "order_id"),
    )
    # The statement of each source with the line for it.
    Table(
        "money_out_listing",
        metadata,
        Column("event_id", Uuid, primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("source", Text, primary_key=True),
        Column("reconciliation_id", Uuid, nullable=False),
    )
    Table(
        "order_reference",
        metadata,
        Column("order_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("channel_id", Uuid, nullable=False),
        Column("reference", Text, nullable=False),
    )
    Table(
        "reconciliation",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        # Of the file, its source and how it is read: the same again is the same statement.
        Column("digest", LargeBinary, nullable=False),
        Column("channel_id", Uuid),
        Column("provider", Text, nullable=False),
        Column("match_by", Text, nullable=False),
        Column("file_name", Text, nullable=False),
        Column("state", Text, nullable=False, server_default="reading"),
        Column("reason", Text, nullable=False, server_default=""),
        Column("period_from", DateTime(timezone=True)),
        Column("period_to", DateTime(timezone=True)),
        Column("lines", Integer, nullable=False, server_default="0"),
        Column("refused", Integer, nullable=False, server_default="0"),
        Column("results", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
        clock_time("created_at"),
        Column("ended_at", DateTime(timezone=True)),
        UniqueConstraint("merchant_id", "digest"),
        CheckConstraint("state IN ('reading', 'completed', 'failed')", name="state_known"),
        CheckConstraint("(channel_id IS NULL) = (provider <> '')", name="one_source"),
        Index("ix_reconciliation_merchant_id_id", "merchant_id", "id"),
    )
    Table(
        "reconciliation_line",
        metadata,
        Column("reconciliation_id", Uuid, ForeignKey("reconciliation.id"), primary_key=True),
        Column("line", Integer, primary_key=True),
        Column("reference", Text, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("happened_at", DateTime(timezone=True)),
        # Why it cannot be read; empty: it can.
        Column("refused", Text, nullable=False),
        Index("ix_reconciliation_line_reference", "reconciliation_id", "reference"),
    )
