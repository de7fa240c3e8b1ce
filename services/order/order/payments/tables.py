from sqlalchemy import (
    BigInteger,
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

from order.tables import metadata

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
    Column("status", Text, nullable=False, server_default="taken"),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("paid_at", DateTime(timezone=True), nullable=False),
    # Within a merchant: nobody can block another merchant's payment by naming its number first.
    UniqueConstraint("merchant_id", "provider", "provider_reference"),
    CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
    CheckConstraint("status IN ('taken')", name="status_known"),
    # An order is paid once: a second payment of it cannot be written down.
    Index(
        "uq_order_payment_taken",
        "order_id",
        unique=True,
        postgresql_where=text("status = 'taken'"),
    ),
)
