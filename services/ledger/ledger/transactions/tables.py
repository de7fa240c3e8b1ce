"""Transactions and postings. The triggers that refuse a wrong ledger are in the first migration.

A posting's amount is one signed number (debit positive) instead of two columns or a side: that a
transaction balances is then one sum per currency, a balance is a sum, a reversal is a minus sign.
"""

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


def transaction_tables(metadata: MetaData) -> None:
    Table(
        "transaction",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("source", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        # When it happened, where that was in a closed period: `at` is then the period's end.
        Column("occurred_at", DateTime(timezone=True)),
        Column("description", Text, nullable=False),
        Column("reverses", Uuid, ForeignKey("transaction.id")),
        # The database transaction that wrote it: nobody adds postings later, balanced or not.
        Column(
            "written_in",
            BigInteger,
            nullable=False,
            server_default=text("(pg_current_xact_id()::text)::bigint"),
        ),
        clock_time("recorded_at"),
        # The same event, however often it comes, is one transaction.
        UniqueConstraint("merchant_id", "source"),
        UniqueConstraint("reverses"),
        Index("ix_transaction_merchant_id_id", "merchant_id", "id"),
    )
    # No foreign keys: the trigger checks transaction and account for a whole statement at once
    # and spares two look-ups and two row locks per posting.
    Table(
        "posting",
        metadata,
        Column("transaction_id", Uuid, primary_key=True),
        Column("line_no", SmallInteger, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("account_id", Uuid, nullable=False),
        Column("currency", Text, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("channel_id", Uuid),
        Column("product_id", Uuid),
        Column("sku", Text),
        Column("lot_id", Uuid),
        Column("order_id", Uuid),
        Column("line_id", Uuid),
        Column("supplier", Text),
        # A hash, and the shop's groups of buyers.
        Column("buyer", Text),
        Column("buyer_group", Text),
        # Of units sold, given or received; negative in a reversal.
        Column("quantity", Integer),
        CheckConstraint("amount_minor <> 0", name="amount_not_zero"),
        CheckConstraint("line_no >= 1", name="line_no_range"),
        Index("ix_posting_merchant_id_at", "merchant_id", "at"),
        Index("ix_posting_account_id_at", "account_id", "at"),
        Index("ix_posting_order_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
        Index("ix_posting_lot_id", "lot_id", postgresql_where=text("lot_id IS NOT NULL")),
    )
