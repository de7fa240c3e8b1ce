"""Tables of this slice. A request has tasks, a task has deliveries, a delivery has units."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from fulfillment.deliveries.domain import DeliveryState, TaskState
from kit.db import clock_time


def _one_of(states: type[DeliveryState] | type[TaskState]) -> str:
    return "state IN (" + ", ".join(f"'{state.value}'" for state in states) + ")"


def delivery_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "request",
        metadata,
        Column("order_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("channel_id", Uuid, nullable=False),
        Column("reference", Text, nullable=False),
        Column("customer_id", Text, nullable=False),
        Column("locale", Text, nullable=False),
        Column("reservation_id", Uuid),
        Column("recipient_public_key", LargeBinary),
        Column("page_id", Uuid, nullable=False),
        Column("page_ends_at", DateTime(timezone=True), nullable=False),
        Column("traceparent", Text),
        Column("request_id", Text),
        # When the page's allowance of reveals is whole again (GCRA); null: never used.
        Column("reveals_paid_until", DateTime(timezone=True)),
        clock_time("created_at"),
        UniqueConstraint("page_id"),
        # What one buyer holds.
        Index("ix_request_merchant_id_customer_id", "merchant_id", "customer_id"),
        CheckConstraint("octet_length(recipient_public_key) = 32", name="recipient_key_size"),
    )
    Table(
        "ended_page",
        metadata,
        # A link that the shop has ended says so; without this it would seem never to have been.
        Column("page_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("order_id", Uuid, ForeignKey("request.order_id"), nullable=False),
        clock_time("created_at"),
    )
    Table(
        "task",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("order_id", Uuid, ForeignKey("request.order_id"), nullable=False, index=True),
        Column("kind", Text, nullable=False),
        Column("state", Text, nullable=False, server_default=TaskState.PENDING.value),
        # Nobody takes it before. Taking it moves this to the end of the lease.
        clock_time("due_at"),
        Column("lease_id", Uuid),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("generation", SmallInteger, nullable=False, server_default="0"),
        # What holds its units; `hold_has_more`: also units that nobody wants any more.
        Column("reservation_id", Uuid),
        Column("hold_has_more", Boolean, nullable=False, server_default=text("false")),
        Column("last_reason", Text),
        clock_time("created_at"),
        CheckConstraint(_one_of(TaskState), name="state_known"),
        Index("ix_task_due", "kind", "due_at", postgresql_where=text("state = 'pending'")),
    )
    Table(
        "delivery",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("task_id", Uuid, ForeignKey("task.id"), nullable=False, index=True),
        Column("order_id", Uuid, ForeignKey("request.order_id"), nullable=False),
        Column("merchant_id", Uuid, nullable=False),
        Column("line_id", Uuid, nullable=False),
        Column("line_no", Integer, nullable=False),
        Column("kind", Text, nullable=False),
        Column("sku", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("quantity", Integer, nullable=False),
        Column("pool_id", Uuid),
        Column("instructions", Text, nullable=False),
        Column("round", SmallInteger, nullable=False, server_default="1"),
        Column("instead_of", Text, nullable=False, server_default=""),
        # What only lines without units have: the terms they were sold with, what the buyer entered
        # (sealed, and forgotten when the line is settled), what is shown of it.
        Column("terms", JSONB),
        Column("inputs", LargeBinary),
        Column("account_mask", Text, nullable=False, server_default=""),
        Column("receipt", Text, nullable=False, server_default=""),
        Column("refunded_at", DateTime(timezone=True)),
        Column("state", Text, nullable=False, server_default=DeliveryState.PENDING.value),
        Column("reason", Text),
        Column("settled_at", DateTime(timezone=True)),
        clock_time("created_at"),
        # A line is delivered once in each round of being asked for.
        UniqueConstraint("line_id", "round"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint(_one_of(DeliveryState), name="state_known"),
        CheckConstraint(
            "(state IN ('delivered', 'failed')) = (settled_at IS NOT NULL)", name="settled_has_time"
        ),
        CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="failed_has_reason"),
        CheckConstraint("settled_at IS NULL OR inputs IS NULL", name="settled_forgets_inputs"),
        Index("ix_delivery_order_id_line_no", "order_id", "line_no"),
        Index("ix_delivery_merchant_id_id", "merchant_id", "id"),
    )
    Table(
        "delivered_unit",
        metadata,
        # The unit is the key: it cannot be written down as delivered twice.
        Column("unit_id", Uuid, primary_key=True),
        Column("delivery_id", Uuid, ForeignKey("delivery.id"), nullable=False),
        Column("position", Integer, nullable=False),
        Column("lot_id", Uuid, nullable=False),
        Column("mask", Text, nullable=False),
        Column("box_public_key", LargeBinary),
        Column("box_nonce", LargeBinary),
        Column("box_ciphertext", LargeBinary),
        Column("views", Integer, nullable=False, server_default="0"),
        Column("last_viewed_at", DateTime(timezone=True)),
        Column("expires_at", DateTime(timezone=True)),
        Column("is_redeemable", Boolean, nullable=False, server_default=text("false")),
        # A unit that replaces a bad one has its place, one copy further.
        Column("copy_no", SmallInteger, nullable=False, server_default="0"),
        Column("replaces", Uuid, ForeignKey("delivered_unit.unit_id")),
        Column("opened_at", DateTime(timezone=True)),
        Column("redeemed_at", DateTime(timezone=True)),
        Column("out_of_use_at", DateTime(timezone=True)),
        UniqueConstraint("delivery_id", "position", "copy_no"),
        # A unit is replaced once.
        UniqueConstraint("replaces"),
        # What ends soon.
        Index(
            "ix_delivered_unit_expires_at",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
        CheckConstraint(
            "num_nulls(box_public_key, box_nonce, box_ciphertext) IN (0, 3)", name="box_whole"
        ),
    )
