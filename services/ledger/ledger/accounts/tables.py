from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
)

from kit.db import clock_time


def account_tables(metadata: MetaData) -> None:
    Table(
        "account",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("code", Text, nullable=False),
        Column("currency", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("never_overdrawn", Boolean, nullable=False, server_default=false()),
        clock_time("created_at"),
        CheckConstraint(
            "kind IN ('asset', 'liability', 'income', 'expense', 'equity')", name="kind_known"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        CheckConstraint("char_length(code) BETWEEN 1 AND 300", name="code_length"),
        UniqueConstraint("merchant_id", "code", "currency"),
        Index("ix_account_merchant_id_id", "merchant_id", "id"),
    )
    # What was posted of each day (of the time it happened, UTC): balances of the past are read from
    # here. Written in the statement that takes transactions into the chain.
    Table(
        "account_day",
        metadata,
        Column("account_id", Uuid, primary_key=True),
        Column("day", Date, primary_key=True),
        Column("debit_minor", Numeric(38, 0), nullable=False),
        Column("credit_minor", Numeric(38, 0), nullable=False),
        postgresql_with={"fillfactor": 70},
    )
    # Written by the triggers on posting and pending_posting alone.
    # NUMERIC: sums outgrow 64 bits before amounts do.
    Table(
        "account_balance",
        metadata,
        Column("account_id", Uuid, ForeignKey("account.id"), primary_key=True),
        Column("debit_minor", Numeric(38, 0), nullable=False),
        Column("credit_minor", Numeric(38, 0), nullable=False),
        Column("postings_total", BigInteger, nullable=False),
        # What pending transactions would add.
        Column("pending_debit_minor", Numeric(38, 0), nullable=False, server_default="0"),
        Column("pending_credit_minor", Numeric(38, 0), nullable=False, server_default="0"),
        CheckConstraint("debit_minor >= 0 AND credit_minor >= 0", name="totals_positive"),
        CheckConstraint(
            "pending_debit_minor >= 0 AND pending_credit_minor >= 0", name="pending_positive"
        ),
        # The hottest rows of the ledger: room for updates inside their page.
        postgresql_with={"fillfactor": 50},
    )
