"""Tables of this slice: what about buying waits for a person."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time


def case_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata. (`case` is a word of SQL.)"""
    Table(
        "supplier_case",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("kind", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("supplier", Text, nullable=False, server_default=""),
        Column("purchase_id", Uuid),
        Column("order_id", Uuid),
        Column("procurement_id", Uuid),
        Column("amount_minor", BigInteger),
        Column("currency", Text),
        Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
        Column("state", Text, nullable=False, server_default="open"),
        # What was done about it.
        Column("resolution", Text, nullable=False, server_default=""),
        Column("closed_by", Text),
        Column("closed_at", DateTime(timezone=True)),
        clock_time("created_at"),
        CheckConstraint("state IN ('open', 'closed')", name="state_known"),
        CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL AND closed_by IS NOT NULL "
            "AND resolution <> '')",
            name="closed_says_why",
        ),
        CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount_whole"),
        Index(
            "uq_supplier_case_merchant_id_kind_subject_open",
            "merchant_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_supplier_case_merchant_id_kind_subject", "merchant_id", "kind", "subject"),
        Index("ix_supplier_case_merchant_id_id", "merchant_id", "id"),
    )
