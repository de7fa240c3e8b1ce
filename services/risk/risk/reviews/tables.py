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

from kit.db import clock_time
from risk.reviews.domain import Act

_ACTS = ", ".join(f"'{act}'" for act in Act)


def review_tables(metadata: MetaData) -> None:
    """Reviews, and the log of what people did with them."""
    Table(
        "review",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("assessment_id", Uuid, nullable=False),
        Column("status", Text, nullable=False),
        Column("reason", Text, nullable=False),
        clock_time("opened_at"),
        Column("decided_at", DateTime(timezone=True)),
        Column("decided_by", Text),
        Column("note", Text, nullable=False, server_default=""),
        Column("assignee", Text),
        # What the merchant's policy said when it was opened; all empty without a time limit.
        Column("due_at", DateTime(timezone=True)),
        Column("after_time", Text),
        Column("minutes", Integer),
        CheckConstraint(
            "status IN ('open', 'approved', 'declined', 'lapsed')", name="status_known"
        ),
        CheckConstraint("(status = 'open') = (decided_at IS NULL)", name="decided_when_closed"),
        CheckConstraint("after_time IN ('keep', 'approve', 'decline')", name="after_time_known"),
        CheckConstraint("(due_at IS NULL) = (after_time IS NULL)", name="due_has_consequence"),
        UniqueConstraint("assessment_id"),
        Index("ix_review_merchant_id_id", "merchant_id", "id"),
        Index("ix_review_open", "merchant_id", "id", postgresql_where=text("status = 'open'")),
        Index("ix_review_order_id", "order_id"),
        Index(
            "ix_review_due",
            "due_at",
            postgresql_where=text("status = 'open' AND after_time IN ('approve', 'decline')"),
        ),
    )
    # Written once: the trigger review_act_append_only refuses all else.
    Table(
        "review_act",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("review_id", Uuid, ForeignKey("review.id"), nullable=False),
        Column("merchant_id", Uuid, nullable=False),
        clock_time("at"),
        Column("actor", Text, nullable=False),
        Column("act", Text, nullable=False),
        Column("note", Text, nullable=False, server_default=""),
        CheckConstraint(f"act IN ({_ACTS})", name="act_known"),
        Index("ix_review_act_review_id_id", "review_id", "id"),
    )
