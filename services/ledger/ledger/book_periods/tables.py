from sqlalchemy import CheckConstraint, Column, DateTime, Index, MetaData, Table, Text, Uuid

from kit.db import clock_time


def period_tables(metadata: MetaData) -> None:
    # A trigger on transaction refuses what is dated before it.
    Table(
        "book_period",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("closed_until", DateTime(timezone=True)),
    )
    # Written once and never changed: who closed and reopened, and why.
    Table(
        "period_change",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("action", Text, nullable=False),
        Column("closed_until", DateTime(timezone=True)),
        Column("before", DateTime(timezone=True)),
        Column("reason", Text, nullable=False),
        Column("requested_by", Text, nullable=False),
        clock_time("changed_at"),
        CheckConstraint("action IN ('close', 'reopen')", name="action_known"),
        Index("ix_period_change_merchant_id_id", "merchant_id", "id"),
    )
