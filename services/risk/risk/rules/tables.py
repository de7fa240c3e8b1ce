from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

from kit.db import clock_time


def rule_tables(metadata: MetaData) -> None:
    """A rule and its versions. An assessment names the version it used; the trigger
    rule_version_append_only sees to it that it stays.
    """
    Table(
        "rule",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("version", Integer, nullable=False),
        Column("is_enabled", Boolean, nullable=False),
        Column("template", Text),
        CheckConstraint("version > 0", name="version_positive"),
        # One rule per template and merchant: whoever comes first makes it.
        UniqueConstraint("merchant_id", "template"),
        Index("ix_rule_merchant_id_id", "merchant_id", "id"),
    )
    Table(
        "rule_version",
        metadata,
        Column("rule_id", Uuid, ForeignKey("rule.id"), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("name", Text, nullable=False),
        Column("priority", Integer, nullable=False),
        Column("mode", Text, nullable=False),
        Column("condition", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("author", Text, nullable=False),
        clock_time("written_at"),
        Column("quantity_max", Integer),
        Column("hold_seconds", Integer),
        CheckConstraint("mode IN ('enforce', 'shadow')", name="mode_known"),
        CheckConstraint(
            "action IN ('allow', 'limit', 'challenge', 'hold', 'decline')", name="action_known"
        ),
        CheckConstraint(
            "(action = 'limit') = (quantity_max IS NOT NULL OR hold_seconds IS NOT NULL)",
            name="limits_said",
        ),
        CheckConstraint("quantity_max > 0 AND hold_seconds > 0", name="limits_positive"),
        CheckConstraint("char_length(condition) BETWEEN 1 AND 2048", name="condition_length"),
    )
    Table(
        "rule_set",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("rule_ids", ARRAY(Uuid), nullable=False),
        Column("versions", ARRAY(Integer), nullable=False),
        clock_time("noted_at"),
        CheckConstraint("cardinality(rule_ids) = cardinality(versions)", name="versions_paired"),
    )
