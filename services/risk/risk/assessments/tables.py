from sqlalchemy import (
    BigInteger,
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time


def assessment_tables(metadata: MetaData) -> None:
    """One decision per purchase, with the facts and rule versions it was made from."""
    Table(
        "assessment",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("purchase_id", Uuid, ForeignKey("purchase.id"), nullable=False),
        # Empty for purchases a shop asked about: they are not orders of ours.
        Column("order_id", Uuid),
        Column("reference", Text, nullable=False),
        Column("decision", Text, nullable=False),
        Column("asked", Text, nullable=False),
        Column("facts", JSONB, nullable=False),
        Column("outcomes", JSONB, nullable=False),
        Column("duration_us", BigInteger, nullable=False),
        clock_time("assessed_at"),
        Column("quantity_max", Integer),
        Column("hold_seconds", Integer),
        # What the shadow rules would have made of it; empty when none of them fired.
        Column("shadow_asked", Text),
        # Which versions of which rules were judged, to judge them again.
        Column("rule_set_id", Uuid, ForeignKey("rule_set.id")),
        CheckConstraint(
            "decision IN ('allow', 'challenge', 'hold', 'decline')", name="decision_known"
        ),
        CheckConstraint("asked IN ('allow', 'challenge', 'hold', 'decline')", name="asked_known"),
        UniqueConstraint("purchase_id"),
        Index("ix_assessment_merchant_id_id", "merchant_id", "id"),
        Index("ix_assessment_order_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
    )
