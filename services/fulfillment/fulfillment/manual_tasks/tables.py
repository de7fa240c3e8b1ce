"""Tables of this slice: what waits for a person, and who has read what a buyer entered."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from fulfillment.manual_tasks.domain import ManualState
from kit.db import clock_time


def manual_task_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    states = ", ".join(f"'{state.value}'" for state in ManualState)
    Table(
        "manual_task",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("queue", Text, nullable=False),
        Column("why", Text, nullable=False),
        # Of a line; a purchase for stock has its procurement instead.
        Column("order_id", Uuid),
        Column("delivery_id", Uuid, ForeignKey("delivery.id")),
        Column("task_id", Uuid, ForeignKey("task.id")),
        Column("procurement_id", Uuid, ForeignKey("procurement.id")),
        # The purchase whose outcome nobody could find out; null for a line that people deliver.
        Column("purchase_id", Uuid, ForeignKey("purchase.id")),
        Column("state", Text, nullable=False, server_default=ManualState.OPEN.value),
        Column("result", Text, nullable=False, server_default=""),
        Column("cost_minor", BigInteger),
        Column("currency", Text),
        Column("resolved_by", Text),
        Column("resolved_at", DateTime(timezone=True)),
        clock_time("created_at"),
        UniqueConstraint("purchase_id"),
        CheckConstraint(f"state IN ({states})", name="state_known"),
        CheckConstraint(
            "(state = 'open') = (resolved_at IS NULL AND resolved_by IS NULL)",
            name="resolved_has_time",
        ),
        CheckConstraint(
            "(delivery_id IS NULL) = (procurement_id IS NOT NULL) "
            "AND (delivery_id IS NULL) = (task_id IS NULL) "
            "AND (delivery_id IS NULL) = (order_id IS NULL)",
            name="about_a_line_or_about_stock",
        ),
        CheckConstraint("cost_minor >= 0", name="cost_not_negative"),
        CheckConstraint("(cost_minor IS NULL) = (currency IS NULL)", name="cost_whole"),
        Index("ix_manual_task_merchant_id_id", "merchant_id", "id"),
        Index("ix_manual_task_delivery_id", "delivery_id"),
        # At most one thing about a line waits for people.
        Index(
            "uq_manual_task_delivery_id_open",
            "delivery_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
    )
    Table(
        "manual_task_view",
        metadata,
        Column("manual_task_id", Uuid, ForeignKey("manual_task.id"), primary_key=True),
        Column("view_no", Integer, primary_key=True),
        Column("viewer", Text, nullable=False),
        clock_time("viewed_at"),
    )
