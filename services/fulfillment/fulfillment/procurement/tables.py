"""Tables of this slice: what is bought into stock, by which rule, from which budget."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from fulfillment.procurement.domain import ProcurementState
from kit.db import clock_time


def procurement_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    _procurements(metadata)
    Table(
        "pool_budget",
        metadata,
        Column("pool_id", Uuid, primary_key=True),
        Column("day", Date, primary_key=True),
        Column("merchant_id", Uuid, primary_key=True),
        Column("currency", Text, primary_key=True),
        # What was spent on the day, and what open procurements may still spend of it.
        Column("reserved_minor", BigInteger, nullable=False),
        CheckConstraint("reserved_minor >= 0", name="reserved_not_negative"),
    )


def _procurements(metadata: MetaData) -> None:
    states = ", ".join(f"'{state.value}'" for state in ProcurementState)
    Table(
        "procurement",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("pool_id", Uuid, nullable=False),
        Column("rule_id", Uuid, ForeignKey("procurement_rule.id", ondelete="SET NULL")),
        # Only of this offer; null: of the best.
        Column("supplier_product_id", Uuid),
        Column("quantity", Integer, nullable=False),
        Column("currency", Text, nullable=False),
        # What it may cost in all, reserved of the pool's budget of `budget_day`.
        Column("budget_minor", BigInteger, nullable=False),
        Column("budget_day", Date),
        Column("spent_minor", BigInteger, nullable=False, server_default="0"),
        Column("bought", Integer, nullable=False, server_default="0"),
        Column("arrived", Integer, nullable=False, server_default="0"),
        Column("state", Text, nullable=False),
        Column("reason", Text, nullable=False, server_default=""),
        # The number of the purchase it is at.
        Column("generation", SmallInteger, nullable=False, server_default="0"),
        # Why so many, of whom: the figures it was decided by.
        Column("explanation", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
        Column("requested_by", Text, nullable=False),
        Column("decided_by", Text),
        Column("decided_at", DateTime(timezone=True)),
        clock_time("due_at"),
        Column("lease_id", Uuid),
        clock_time("created_at"),
        Column("ended_at", DateTime(timezone=True)),
        CheckConstraint(f"state IN ({states})", name="state_known"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("budget_minor >= 0", name="budget_not_negative"),
        CheckConstraint(
            "(state IN ('arrived', 'partly', 'failed', 'declined')) = (ended_at IS NOT NULL)",
            name="ended_has_time",
        ),
        # A rule buys one thing at a time.
        Index(
            "uq_procurement_rule_id_open",
            "rule_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_procurement_due_at",
            "due_at",
            postgresql_where=text("ended_at IS NULL AND state <> 'awaiting_approval'"),
        ),
        Index("ix_procurement_merchant_id_id", "merchant_id", "id"),
    )
