from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from order.payments.domain import PaymentStatus
from order.tables import metadata

_STATUSES = ", ".join(f"'{status}'" for status in PaymentStatus)

order_payment = Table(
    "order_payment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("merchant_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_reference", Text, nullable=False),
    # Whose word it was, and so who gives it back: `channel` (a trusted one) or the provider.
    Column("via", Text, nullable=False),
    # See PaymentStatus in domain.py; the trigger order_payment_guard refuses any other move.
    Column("status", Text, nullable=False, server_default="taken"),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    # How much of it pays the order, and how much is on its way back or there. The second is kept by
    # the trigger order_refund_count: no sum of refunds can be more than what came.
    Column("applied_minor", BigInteger, nullable=False, server_default="0"),
    Column("back_minor", BigInteger, nullable=False, server_default="0"),
    # The payment after which nothing was owed any more.
    Column("closes_order", Boolean, nullable=False, server_default=text("false")),
    Column("paid_at", DateTime(timezone=True), nullable=False),
    # Within a merchant: nobody can block another merchant's payment by naming its number first.
    UniqueConstraint("merchant_id", "provider", "provider_reference"),
    CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
    CheckConstraint(f"status IN ({_STATUSES})", name="status_known"),
    CheckConstraint("applied_minor BETWEEN 0 AND amount_minor", name="applied_came"),
    CheckConstraint("status = 'taken' OR applied_minor = 0", name="only_taken_pays"),
    CheckConstraint("status = 'taken' OR NOT closes_order", name="only_taken_closes"),
    CheckConstraint("back_minor BETWEEN 0 AND amount_minor", name="back_came"),
    # An order is paid once: a second payment that does so cannot be written down.
    Index(
        "uq_order_payment_closing",
        "order_id",
        unique=True,
        postgresql_where=text("closes_order"),
    ),
    # The others are few; both together list an order's payments.
    Index("ix_order_payment_other", "order_id", postgresql_where=text("NOT closes_order")),
)
