"""Tables of this slice: what each endpoint is to be told, and each attempt at it."""

from sqlalchemy import (
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

from fulfillment.webhook_deliveries.domain import BODY_BYTES_MAX, WebhookState
from kit.db import clock_time


def _number(name: str) -> Column[object]:
    return Column(name, Integer, nullable=False, server_default="0")


def webhook_delivery_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    states = ", ".join(f"'{state.value}'" for state in WebhookState)
    Table(
        "webhook_delivery",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("endpoint_id", Uuid, ForeignKey("webhook_endpoint.id"), nullable=False),
        Column("event_id", Uuid, nullable=False),
        Column("type", Text, nullable=False),
        # The bytes that are signed, the same at every attempt.
        Column("body", Text, nullable=False),
        Column("occurred_at", DateTime(timezone=True), nullable=False),
        Column("state", Text, nullable=False),
        _number("attempts"),
        # Failures since it was queued: where it stands in the schedule.
        _number("tries"),
        clock_time("due_at"),
        Column("lease_id", Uuid),
        Column("last_status", Integer),
        Column("last_reason", Text, nullable=False, server_default=""),
        Column("settled_at", DateTime(timezone=True)),
        clock_time("created_at"),
        UniqueConstraint("endpoint_id", "event_id"),
        CheckConstraint(f"state IN ({states})", name="state_known"),
        CheckConstraint(f"octet_length(body) <= {BODY_BYTES_MAX}", name="body_thin"),
        CheckConstraint("tries BETWEEN 0 AND attempts", name="tries_are_attempts"),
        CheckConstraint(
            "(state IN ('delivered', 'failed')) = (settled_at IS NOT NULL)", name="settled_has_time"
        ),
        CheckConstraint("lease_id IS NULL OR state = 'pending'", name="only_pending_is_leased"),
        Index(
            "ix_webhook_delivery_endpoint_id_due_at",
            "endpoint_id",
            "due_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_webhook_delivery_merchant_id_created_at_id", "merchant_id", "created_at", "id"),
        Index("ix_webhook_delivery_endpoint_id_created_at", "endpoint_id", "created_at"),
        Index("ix_webhook_delivery_created_at", "created_at"),
    )
    Table(
        "webhook_attempt",
        metadata,
        Column(
            "delivery_id",
            Uuid,
            ForeignKey("webhook_delivery.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        Column("attempt_no", Integer, primary_key=True),
        Column("started_at", DateTime(timezone=True), nullable=False),
        _number("milliseconds"),
        Column("status", Integer),
        Column("reason", Text, nullable=False, server_default=""),
        CheckConstraint("attempt_no > 0", name="attempt_no_positive"),
        CheckConstraint("milliseconds >= 0", name="milliseconds_not_negative"),
    )
