"""Tables of this slice: when a pool is bought for."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
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


def procurement_rule_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "procurement_rule",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("pool_id", Uuid, nullable=False),
        # Bought when the stock lasts for fewer days, or has fewer units; one of them at least.
        Column("reorder_cover_days", Float),
        Column("reorder_point", Integer),
        Column("target_cover_days", Float, nullable=False),
        Column("quantity_min", Integer, nullable=False),
        Column("quantity_max", Integer, nullable=False),
        Column("currency", Text, nullable=False),
        Column("budget_per_day_minor", BigInteger),
        # Above this a person must agree; null: nobody is asked.
        Column("approval_above_minor", BigInteger),
        Column("is_active", Boolean, nullable=False, server_default=text("true")),
        clock_time("due_at"),
        Column("lease_id", Uuid),
        # How the pool stood when it was looked at last, and what was made of it.
        Column("checked_at", DateTime(timezone=True)),
        Column("last_reason", Text, nullable=False, server_default=""),
        clock_time("created_at"),
        UniqueConstraint("merchant_id", "pool_id"),
        CheckConstraint(
            "reorder_cover_days IS NOT NULL OR reorder_point IS NOT NULL", name="has_a_trigger"
        ),
        CheckConstraint("target_cover_days > 0", name="target_positive"),
        CheckConstraint(
            "quantity_min >= 1 AND quantity_max >= quantity_min", name="quantities_in_order"
        ),
        CheckConstraint("budget_per_day_minor >= 0", name="budget_not_negative"),
        CheckConstraint("approval_above_minor >= 0", name="approval_not_negative"),
        Index("ix_procurement_rule_due_at", "due_at"),
        Index("ix_procurement_rule_merchant_id_id", "merchant_id", "id"),
    )
