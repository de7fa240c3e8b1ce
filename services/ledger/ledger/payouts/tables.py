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

from kit.db import clock_time


def payout_tables(metadata: MetaData) -> None:
    Table(
        "payee",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("name", Text, nullable=False),
        Column("account", Text, nullable=False),
        Column("bank", Text, nullable=False),
        clock_time("updated_at"),
    )
    Table(
        "payout",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("currency", Text, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("state", Text, nullable=False),
        Column("settlement_id", Uuid),
        # As they were when it was proposed: what was approved is what is paid.
        Column("payee_name", Text, nullable=False),
        Column("payee_account", Text, nullable=False),
        Column("payee_bank", Text, nullable=False),
        Column("created_by", Text, nullable=False),
        Column("approved_by", Text),
        Column("reason", Text),
        clock_time("created_at"),
        Column(
            "changed_at",
            DateTime(timezone=True),
            nullable=False,
            server_default=text("clock_timestamp()"),
        ),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("approved_by <> created_by", name="four_eyes"),
        CheckConstraint(
            "state IN ('proposed', 'rejected') OR approved_by IS NOT NULL", name="approved"
        ),
        CheckConstraint(
            "state IN ('proposed', 'approved', 'sent', 'paid', 'rejected', 'failed', 'returned')",
            name="state_known",
        ),
        Index(
            "ix_payout_settlement_id",
            "settlement_id",
            unique=True,
            postgresql_where=text("settlement_id IS NOT NULL"),
        ),
        Index("ix_payout_merchant_id_id", "merchant_id", "id"),
        Index("ix_payout_state_id", "state", "id"),
    )
