from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
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
        clock_time("created_at"),
        CheckConstraint(
            "kind IN ('asset', 'liability', 'income', 'expense', 'equity')", name="kind_known"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        CheckConstraint("char_length(code) BETWEEN 1 AND 300", name="code_length"),
        UniqueConstraint("merchant_id", "code", "currency"),
        Index("ix_account_merchant_id_id", "merchant_id", "id"),
    )
    # Written by the trigger on posting alone. NUMERIC: sums outgrow 64 bits before amounts do.
    Table(
        "account_balance",
        metadata,
        Column("account_id", Uuid, ForeignKey("account.id"), primary_key=True),
        Column("debit_minor", Numeric(38, 0), nullable=False),
        Column("credit_minor", Numeric(38, 0), nullable=False),
        Column("postings_total", BigInteger, nullable=False),
        CheckConstraint("debit_minor >= 0 AND credit_minor >= 0", name="totals_positive"),
        # The hottest rows of the ledger: room for updates inside their page.
        postgresql_with={"fillfactor": 50},
    )
