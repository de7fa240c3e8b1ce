from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from kit.db import clock_time


def settlement_tables(metadata: MetaData) -> None:
    Table(
        "settlement",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("currency", Text, nullable=False),
        Column("period_start", DateTime(timezone=True)),
        Column("period_end", DateTime(timezone=True), nullable=False),
        Column("state", Text, nullable=False),
        Column("opening_minor", BigInteger, nullable=False),
        Column("closing_minor", BigInteger, nullable=False),
        Column("lines", BigInteger, nullable=False, server_default="0"),
        Column("due_on", Date, nullable=False),
        Column("payout_min_minor", BigInteger, nullable=False),
        Column("payout_id", Uuid),
        Column("created_by", Text, nullable=False),
        clock_time("created_at"),
        Column("closed_at", DateTime(timezone=True)),
        Column("paid_at", DateTime(timezone=True)),
        # The same period is settled once.
        UniqueConstraint("merchant_id", "currency", "period_end"),
        CheckConstraint("state IN ('open', 'closed', 'paid')", name="state_known"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_at_says_it"),
        CheckConstraint("period_start < period_end", name="period_order"),
        # The next one opens with the balance this one closes with.
        Index(
            "ix_settlement_open",
            "merchant_id",
            "currency",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_settlement_merchant_id_id", "merchant_id", "id"),
    )
    # Its key is the posting's: a posting is in one settlement.
    Table(
        "settlement_line",
        metadata,
        Column("transaction_id", Uuid, primary_key=True),
        Column("line_no", SmallInteger, primary_key=True),
        Column("settlement_id", Uuid, ForeignKey("settlement.id"), nullable=False),
        Column("position", BigInteger, nullable=False),
        # Of the account, after this line.
        Column("balance_minor", BigInteger, nullable=False),
        UniqueConstraint("settlement_id", "position"),
    )
