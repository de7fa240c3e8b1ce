from sqlalchemy import CheckConstraint, Column, Integer, MetaData, Table, Text, Uuid

from kit.db import clock_time

MINUTES_MAX = 43_200


def review_policy_tables(metadata: MetaData) -> None:
    """A merchant without a row has the policy's defaults."""
    Table(
        "review_policy",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("review_minutes", Integer),
        Column("after_time", Text, nullable=False),
        Column("challenge_fall_back", Text, nullable=False),
        Column("author", Text, nullable=False),
        clock_time("changed_at"),
        CheckConstraint("after_time IN ('keep', 'approve', 'decline')", name="after_time_known"),
        CheckConstraint("challenge_fall_back IN ('hold', 'decline')", name="fall_back_known"),
        CheckConstraint(f"review_minutes BETWEEN 1 AND {MINUTES_MAX}", name="review_minutes"),
    )
