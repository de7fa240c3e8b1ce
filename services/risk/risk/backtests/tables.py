from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time


def backtest_tables(metadata: MetaData) -> None:
    Table(
        "backtest",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        # Empty for a draft that is no rule yet.
        Column("rule_id", Uuid),
        Column("rule_version", Integer),
        Column("condition", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("since", DateTime(timezone=True), nullable=False),
        Column("until", DateTime(timezone=True), nullable=False),
        Column("author", Text, nullable=False),
        Column("status", Text, nullable=False, server_default="queued"),
        Column("done", Integer, nullable=False, server_default="0"),
        Column("total", Integer, nullable=False, server_default="0"),
        Column("report", JSONB),
        Column("problem", Text, nullable=False, server_default=""),
        # Whoever runs it says so again and again; another one begins anew when that stops.
        Column("leased_until", DateTime(timezone=True)),
        # How often it was begun: one that kills whoever runs it is given up.
        Column("attempts", Integer, nullable=False, server_default="0"),
        clock_time("created_at"),
        Column("ended_at", DateTime(timezone=True)),
        CheckConstraint(
            "status IN ('queued', 'running', 'completed', 'failed')", name="status_known"
        ),
        CheckConstraint(
            "(status IN ('completed', 'failed')) = (ended_at IS NOT NULL)", name="ended_when_over"
        ),
        CheckConstraint(
            "(status = 'completed') = (report IS NOT NULL)", name="completed_has_report"
        ),
        Index("ix_backtest_merchant_id_id", "merchant_id", "id"),
        Index(
            "ix_backtest_under_way",
            "id",
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
    )
