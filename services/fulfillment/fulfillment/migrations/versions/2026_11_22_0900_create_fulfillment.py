"""Create the fulfillment service: backbone, requests, tasks, deliveries, units."""

import sqlalchemy as sa
from alembic import op

from kit import backbone

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = True, now: bool = False) -> sa.Column[object]:
    default = sa.text("clock_timestamp()") if now else None
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=nullable and not now, server_default=default
    )


def upgrade() -> None:
    backbone.create(op)
    op.create_table(
        "request",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("reservation_id", sa.Uuid()),
        sa.Column("recipient_public_key", sa.LargeBinary()),
        sa.Column("page_id", sa.Uuid(), nullable=False),
        _moment("page_ends_at", nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("request_id", sa.Text()),
        _moment("reveals_paid_until"),
        _moment("created_at", now=True),
        sa.CheckConstraint(
            "octet_length(recipient_public_key) = 32", name=op.f("ck_request_recipient_key_size")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_request")),
        sa.UniqueConstraint("page_id", name=op.f("uq_request_page_id")),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="pending"),
        _moment("due_at", now=True),
        sa.Column("lease_id", sa.Uuid()),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("generation", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("last_reason", sa.Text()),
        _moment("created_at", now=True),
        sa.CheckConstraint("state IN ('pending', 'done')", name=op.f("ck_task_state_known")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["request.order_id"], name=op.f("fk_task_order_id_request")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    op.create_index(op.f("ix_task_order_id"), "task", ["order_id"])
    op.create_index(
        "ix_task_due", "task", ["kind", "due_at"], postgresql_where=sa.text("state = 'pending'")
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("pool_id", sa.Uuid()),
        sa.Column("instructions", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="pending"),
        sa.Column("reason", sa.Text()),
        _moment("settled_at"),
        _moment("created_at", now=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_delivery_quantity_positive")),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed', 'unknown')",
            name=op.f("ck_delivery_state_known"),
        ),
        sa.CheckConstraint(
            "(state IN ('delivered', 'failed')) = (settled_at IS NOT NULL)",
            name=op.f("ck_delivery_settled_has_time"),
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (reason IS NOT NULL)", name=op.f("ck_delivery_failed_has_reason")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["request.order_id"], name=op.f("fk_delivery_order_id_request")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_delivery_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("line_id", name=op.f("uq_delivery_line_id")),
    )
    op.create_index(op.f("ix_delivery_task_id"), "delivery", ["task_id"])
    op.create_index("ix_delivery_order_id_line_no", "delivery", ["order_id", "line_no"])
    op.create_index("ix_delivery_merchant_id_id", "delivery", ["merchant_id", "id"])
    op.create_table(
        "delivered_unit",
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("mask", sa.Text(), nullable=False),
        sa.Column("box_public_key", sa.LargeBinary()),
        sa.Column("box_nonce", sa.LargeBinary()),
        sa.Column("box_ciphertext", sa.LargeBinary()),
        sa.Column("views", sa.Integer(), nullable=False, server_default="0"),
        _moment("last_viewed_at"),
        sa.CheckConstraint(
            "num_nulls(box_public_key, box_nonce, box_ciphertext) IN (0, 3)",
            name=op.f("ck_delivered_unit_box_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivered_unit_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_delivered_unit")),
        sa.UniqueConstraint(
            "delivery_id", "position", name=op.f("uq_delivered_unit_delivery_id_position")
        ),
    )


def downgrade() -> None:
    for table in ("delivered_unit", "delivery", "task", "request"):
        op.drop_table(table)
    backbone.drop(op)
