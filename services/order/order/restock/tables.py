from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)

from kit.db import clock_time
from order.restock.domain import RestockStatus
from order.tables import metadata

_STATUSES = ", ".join(f"'{status}'" for status in RestockStatus)

restock_request = Table(
    "restock_request",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("product_id", Uuid, nullable=False),
    Column("pool_id", Uuid, nullable=False),
    Column("sku", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    # Sealed; gone as soon as nobody is to be written to any more.
    Column("contact", LargeBinary),
    Column("locale", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False, server_default="waiting"),
    clock_time("requested_at"),
    Column("due_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    CheckConstraint(f"status IN ({_STATUSES})", name="status_known"),
    CheckConstraint(
        "(status IN ('waiting', 'due')) = (contact IS NOT NULL)", name="contact_while_needed"
    ),
    CheckConstraint("(status IN ('waiting', 'due')) = (ended_at IS NULL)", name="end_has_time"),
    # A buyer waits once for a product.
    Index(
        "uq_restock_request_waiting",
        "merchant_id",
        "product_id",
        "customer_id",
        unique=True,
        postgresql_where=text("status = 'waiting'"),
    ),
    Index(
        "ix_restock_request_next",
        "pool_id",
        "requested_at",
        "id",
        postgresql_where=text("status = 'waiting'"),
    ),
    Index("ix_restock_request_merchant_id_status_id", "merchant_id", "status", "id"),
    Index(
        "ix_restock_request_open",
        "requested_at",
        postgresql_where=text("contact IS NOT NULL"),
    ),
)
