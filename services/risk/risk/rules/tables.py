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

from kit.db import clock_time


def rule_tables(metadata: MetaData) -> None:
    """A rule and its versions. Versions are never changed: an assessment names the one it used."""
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
        CheckConstraint("mode IN ('enforce', 'shadow')", name="mode_known"),
        CheckConstraint("action IN ('allow', 'challenge', 'hold', 'decline')", name="action_known"),
        CheckConstraint("char_length(condition) BETWEEN 1 AND 2048", name="condition_length"),
    )
