from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)

from kit.db import clock_time
from order.refunds.domain import RefundStatus
from order.tables import metadata

_STATUSES = ", ".join(f"'{status}'" for status in RefundStatus)

order_refund = Table(
    "order_refund",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False, index=True),
    # NULL: the payment itself goes back, or what was too much of it.
    Column("line_id", Uuid),
    Column("payment_id", Uuid, ForeignKey("order_payment.id"), nullable=False),
    Column("merchant_id", Uuid, nullable=False),
    # The call that asked for it and who called; NULL when the order itself had to give back.
    Column("request_id", Uuid),
    Column("asked_by", Text, nullable=False, server_default=""),
    Column("provider", Text, nullable=False),
    Column("provider_reference", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="due"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    clock_time("next_at"),
    clock_time("created_at"),
    Column("done_at", DateTime(timezone=True)),
    # Exactly once: for a line that failed, for a payment that is not owed, for a call. How much of
    # a line and of a payment goes back in all is counted by the trigger order_refund_count.
    Index(
        "uq_order_refund_line",
        "line_id",
        "payment_id",
        unique=True,
        postgresql_where=text("line_id IS NOT NULL AND request_id IS NULL"),
    ),
    Index(
        "uq_order_refund_payment",
        "payment_id",
        unique=True,
        postgresql_where=text("line_id IS NULL"),
    ),
    Index(
        "uq_order_refund_request",
        "request_id",
        "line_id",
        "payment_id",
        unique=True,
        postgresql_where=text("request_id IS NOT NULL"),
    ),
    CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
    CheckConstraint(f"status IN ({_STATUSES})", name="status_known"),
    CheckConstraint("(status = 'done') = (done_at IS NOT NULL)", name="done_has_time"),
    Index(
        "ix_order_refund_open", "next_at", postgresql_where=text("status NOT IN ('done', 'manual')")
    ),
    Index("ix_order_refund_manual", "created_at", postgresql_where=text("status = 'manual'")),
)
