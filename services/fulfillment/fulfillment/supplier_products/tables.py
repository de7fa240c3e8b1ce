"""Tables of this slice: what can be bought where, and what an account was seen to have."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from kit.db import clock_time


def supplier_product_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "supplier_product",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("supplier", Text, nullable=False),
        Column("supplier_sku", Text, nullable=False),
        # What it is here: a product's sku, the pool its codes go to, or both.
        Column("sku", Text),
        Column("pool_id", Uuid),
        Column("currency", Text, nullable=False),
        # As the supplier's list said last; null: never seen.
        Column("cost_minor", BigInteger),
        Column("stock", Integer),
        Column("seen_at", DateTime(timezone=True)),
        # What comes on top: fees, taxes, transfers.
        Column("fee_minor", BigInteger, nullable=False, server_default="0"),
        Column("fee_basis_points", Integer, nullable=False, server_default="0"),
        # What one may cost at most, everything included.
        Column("cost_max_minor", BigInteger, nullable=False),
        # The price that prices are held against, and by how much one may move at once.
        Column("cost_accepted_minor", BigInteger),
        Column("drift_max_basis_points", Integer),
        Column("priority", Integer, nullable=False, server_default="0"),
        Column("quantity_min", Integer, nullable=False, server_default="1"),
        Column("quantity_max", Integer),
        Column("is_active", Boolean, nullable=False, server_default=text("true")),
        # Why it is not bought although it is active; empty: it may be.
        Column("paused_reason", Text, nullable=False, server_default=""),
        Column("paused_at", DateTime(timezone=True)),
        clock_time("created_at"),
        ForeignKeyConstraint(
            ["merchant_id", "supplier"], ["supplier.merchant_id", "supplier.name"]
        ),
        UniqueConstraint("merchant_id", "supplier", "supplier_sku"),
        CheckConstraint("sku IS NOT NULL OR pool_id IS NOT NULL", name="is_something_here"),
        CheckConstraint("cost_max_minor >= 0", name="cost_max_not_negative"),
        CheckConstraint("cost_minor >= 0", name="cost_not_negative"),
        CheckConstraint("fee_minor >= 0 AND fee_basis_points >= 0", name="fees_not_negative"),
        CheckConstraint("quantity_min >= 1", name="quantity_min_positive"),
        CheckConstraint("quantity_max >= quantity_min", name="quantity_max_not_below_min"),
        CheckConstraint("(paused_reason = '') = (paused_at IS NULL)", name="paused_says_why"),
        Index("ix_supplier_product_merchant_id_id", "merchant_id", "id"),
        Index("ix_supplier_product_merchant_id_pool_id", "merchant_id", "pool_id"),
        Index("ix_supplier_product_merchant_id_sku", "merchant_id", "sku"),
    )
    Table(
        "supplier_sync",
        metadata,
        Column("supplier_id", Uuid, ForeignKey("supplier.id"), primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("supplier", Text, nullable=False),
        Column("balance_minor", BigInteger),
        Column("balance_currency", Text),
        Column("balance_at", DateTime(timezone=True)),
        # Of the last list that was believed.
        Column("articles", Integer),
        Column("listed_at", DateTime(timezone=True)),
        # Why the last one was not; empty: it was.
        Column("reason", Text, nullable=False, server_default=""),
        Column("failures", Integer, nullable=False, server_default="0"),
        clock_time("due_at"),
        Column("lease_id", Uuid),
        CheckConstraint(
            "(balance_minor IS NULL) = (balance_currency IS NULL) "
            "AND (balance_minor IS NULL) = (balance_at IS NULL)",
            name="balance_whole",
        ),
        Index("ix_supplier_sync_due_at", "due_at"),
        Index("ix_supplier_sync_merchant_id_supplier", "merchant_id", "supplier", unique=True),
    )
