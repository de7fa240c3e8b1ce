"""What is reserved. Triggers in the migration keep the balances' pending sums."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from kit.db import clock_time


def pending_tables(metadata: MetaData) -> None:
    Table(
        "pending_transaction",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("source", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("description", Text, nullable=False),
        Column("state", Text, nullable=False, server_default="pending"),
        # Checked at commit: what was reserved is freed before it is posted.
        Column(
            "transaction_id",
            Uuid,
            ForeignKey("transaction.id", deferrable=True, initially="DEFERRED"),
        ),
        Column("reason", Text, nullable=False, server_default=""),
        clock_time("recorded_at"),
        Column("resolved_at", DateTime(timezone=True)),
        CheckConstraint("state IN ('pending', 'posted', 'voided')", name="state_known"),
        CheckConstraint("(state = 'posted') = (transaction_id IS NOT NULL)", name="posted_as"),
        CheckConstraint("(state = 'pending') = (resolved_at IS NULL)", name="resolved_when"),
        UniqueConstraint("merchant_id", "source"),
        Index("ix_pending_transaction_merchant_id_id", "merchant_id", "id"),
        Index(
            "ix_pending_transaction_open",
            "merchant_id",
            "id",
            postgresql_where=text("state = 'pending'"),
        ),
    )
    Table(
        "pending_posting",
        metadata,
        Column("pending_id", Uuid, primary_key=True),
        Column("line_no", SmallInteger, primary_key=True),
        Column("account_id", Uuid, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("quantity", Integer),
        Column("channel_id", Uuid),
        Column("product_id", Uuid),
        Column("sku", Text),
        Column("lot_id", Uuid),
        Column("order_id", Uuid),
        Column("line_id", Uuid),
        Column("supplier", Text),
        Column("buyer", Text),
        Column("buyer_group", Text),
        CheckConstraint("amount_minor <> 0", name="amount_not_zero"),
    )
