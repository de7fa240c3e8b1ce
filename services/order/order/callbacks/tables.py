from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from kit.db import clock_time
from order.tables import metadata

payment_notice = Table(
    "payment_notice",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("order_id", Uuid),
    Column("checkout_id", Uuid),
    Column("provider_reference", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    # What came, to compare with a copy the provider shows; the body itself is not kept.
    Column("body_hash", LargeBinary, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("times", Integer, nullable=False, server_default="1"),
    clock_time("received_at"),
    clock_time("last_at"),
    # The same notice again is counted, never worked on twice.
    UniqueConstraint("account_id", "event_id"),
    CheckConstraint("source IN ('callback', 'query')", name="source_known"),
    CheckConstraint(
        "verdict IN ('received', 'taken', 'not_taken', 'contradicted', 'unconfirmed', 'unmatched', "
        "'noted', 'ignored', 'refused')",
        name="verdict_known",
    ),
    Index("ix_payment_notice_merchant_id_id", "merchant_id", "id"),
    Index("ix_payment_notice_order_id", "order_id"),
)
