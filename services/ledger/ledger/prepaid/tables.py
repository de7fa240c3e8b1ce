from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from kit.db import clock_time


def prepaid_tables(metadata: MetaData) -> None:
    # Its row is the lock of the partner's money; the balance is the account's.
    Table(
        "prepaid_partner",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("partner", Text, primary_key=True),
        Column("currency", Text, primary_key=True),
        Column("credit_limit_minor", BigInteger, nullable=False),
        Column("held_minor", BigInteger, nullable=False, server_default="0"),
        clock_time("updated_at"),
        CheckConstraint("credit_limit_minor >= 0 AND held_minor >= 0", name="not_negative"),
    )
    Table(
        "prepaid_hold",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("partner", Text, nullable=False),
        Column("currency", Text, nullable=False),
        Column("channel_id", Uuid, nullable=False),
        Column("order_id", Uuid),
        Column("reference", Text, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("captured_minor", BigInteger, nullable=False, server_default="0"),
        Column("state", Text, nullable=False),
        clock_time("created_at"),
        Column("expires_at", DateTime(timezone=True), nullable=False),
        Column("ended_at", DateTime(timezone=True)),
        UniqueConstraint("merchant_id", "partner", "reference"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("captured_minor BETWEEN 0 AND amount_minor", name="captured_of_it"),
        CheckConstraint("state IN ('held', 'captured', 'released', 'expired')", name="state_known"),
        Index("ix_prepaid_hold_merchant_id_id", "merchant_id", "id"),
        Index("ix_prepaid_hold_held", "expires_at", "id", postgresql_where=text("state = 'held'")),
    )
