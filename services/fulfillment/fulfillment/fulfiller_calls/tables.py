"""The table of this slice."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from fulfillment.fulfiller_calls.domain import CallState
from kit.db import clock_time


def fulfiller_call_tables(metadata: MetaData) -> None:
    """Adds this slice's table to the service's metadata."""
    states = ", ".join(f"'{state.value}'" for state in CallState)
    Table(
        "fulfiller_call",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("delivery_id", Uuid, ForeignKey("delivery.id"), nullable=False),
        Column("task_id", Uuid, ForeignKey("task.id"), nullable=False),
        Column("fulfiller", Text, nullable=False),
        Column("state", Text, nullable=False, server_default=CallState.INTENT.value),
        Column("sends", Integer, nullable=False, server_default="0"),
        Column("result", Text, nullable=False, server_default=""),
        Column("reason", Text, nullable=False, server_default=""),
        Column("cost_minor", BigInteger),
        Column("currency", Text),
        Column("sent_at", DateTime(timezone=True)),
        Column("ends_at", DateTime(timezone=True), nullable=False),
        Column("settled_at", DateTime(timezone=True)),
        clock_time("created_at"),
        UniqueConstraint("delivery_id"),
        CheckConstraint(f"state IN ({states})", name="state_known"),
        CheckConstraint("cost_minor >= 0", name="cost_not_negative"),
        CheckConstraint("(cost_minor IS NULL) = (currency IS NULL)", name="cost_whole"),
        CheckConstraint(
            "(state IN ('done', 'failed')) = (settled_at IS NOT NULL)", name="settled_has_time"
        ),
        CheckConstraint("state <> 'failed' OR reason <> ''", name="failed_has_reason"),
    )
