from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Uuid,
)

from kit.db import clock_time


def reminder_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "reminder_setting",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("days", ARRAY(Integer), nullable=False),
        CheckConstraint("cardinality(days) <= 5", name="days_few"),
        CheckConstraint("0 < ALL (days) AND 90 >= ALL (days)", name="days_range"),
    )
    # Once per unit and step: whoever writes the row sends the reminder.
    Table(
        "reminder",
        metadata,
        Column("unit_id", Uuid, primary_key=True),
        Column("days", SmallInteger, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        clock_time("reminded_at"),
    )
