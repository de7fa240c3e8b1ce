from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from kit.db import clock_time


def review_tables(metadata: MetaData) -> None:
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
        CheckConstraint(
            "status IN ('open', 'approved', 'declined', 'lapsed')", name="status_known"
        ),
        CheckConstraint("(status = 'open') = (decided_at IS NULL)", name="decided_when_closed"),
        UniqueConstraint("assessment_id"),
        Index("ix_review_merchant_id_id", "merchant_id", "id"),
        Index("ix_review_open", "merchant_id", "id", postgresql_where=text("status = 'open'")),
        Index("ix_review_order_id", "order_id"),
    )
