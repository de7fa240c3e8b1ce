from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from order.tables import metadata

order_refund = Table(
    "order_refund",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False, index=True),
    Column("line_id", Uuid, nullable=False),
    Column("merchant_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_reference", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="due"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    Column(
        "next_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()
    ),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Column("done_at", DateTime(timezone=True)),
    # A line's money goes back once: a second refund of it cannot be written down.
    UniqueConstraint("line_id"),
    CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
    CheckConstraint("status IN ('due', 'sent', 'done')", name="status_known"),
    CheckConstraint("(status = 'done') = (done_at IS NOT NULL)", name="done_has_time"),
    Index("ix_order_refund_open", "next_at", postgresql_where=text("status <> 'done'")),
)
