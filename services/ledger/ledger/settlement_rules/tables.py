from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time


def settlement_rule_tables(metadata: MetaData) -> None:
    # Only added to: what a sale was shared out by can be read for ever.
    Table(
        "settlement_rule",
        metadata,
        Column("id", Uuid, primary_key=True),
        # Null: every merchant.
        Column("merchant_id", Uuid),
        Column("channel_id", Uuid),
        Column("product_id", Uuid),
        Column("currency", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("valid_from", DateTime(timezone=True), nullable=False),
        Column("is_enabled", Boolean, nullable=False),
        Column("terms", JSONB, nullable=False),
        Column("created_by", Text, nullable=False),
        clock_time("created_at"),
        UniqueConstraint(
            "merchant_id",
            "channel_id",
            "product_id",
            "currency",
            "version",
            name="uq_settlement_rule_scope_version",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        CheckConstraint(
            "merchant_id IS NOT NULL OR (channel_id IS NULL AND product_id IS NULL)",
            name="scope_has_merchant",
        ),
        Index("ix_settlement_rule_merchant_id_id", "merchant_id", "id"),
    )
