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
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time
from order.tables import metadata

_LIVE = text("state IN ('opening', 'open')")

payment_checkout = Table(
    "payment_checkout",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("merchant_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("return_url", Text, nullable=False, server_default=""),
    Column("payer", Text, nullable=False, server_default=""),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("session", Text, nullable=False, server_default=""),
    # The payment's number at the provider, once it is paid.
    Column("provider_reference", Text, nullable=False, server_default=""),
    Column("handover", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("asked", Integer, nullable=False, server_default="0"),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("last_error", Text),
    clock_time("created_at"),
    clock_time("updated_at"),
    CheckConstraint("amount_minor > 0", name="amount_positive"),
    CheckConstraint(
        "state IN ('opening', 'open', 'paid', 'failed', 'closed', 'manual')", name="state_known"
    ),
    # Beginning the same payment twice is beginning it once.
    Index(
        "uq_payment_checkout_live",
        "order_id",
        "account_id",
        "method",
        unique=True,
        postgresql_where=_LIVE,
    ),
    Index("ix_payment_checkout_due", "next_at", postgresql_where=_LIVE),
    Index("ix_payment_checkout_manual", "created_at", postgresql_where=text("state = 'manual'")),
    Index("ix_payment_checkout_order_id", "order_id"),
)
