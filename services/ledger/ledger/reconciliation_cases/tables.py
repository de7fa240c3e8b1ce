from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from kit.db import clock_time


def reconciliation_case_tables(metadata: MetaData) -> None:
    Table(
        "reconciliation_case",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("source", Text, nullable=False),
        Column("reconciliation_id", Uuid),
        Column("kind", Text, nullable=False),
        Column("reference", Text, nullable=False),
        Column("currency", Text, nullable=False),
        Column("there_minor", BigInteger),
        Column("here_minor", BigInteger),
        Column("happened_at", DateTime(timezone=True)),
        Column("state", Text, nullable=False, server_default="open"),
        clock_time("opened_at"),
        Column("closed_at", DateTime(timezone=True)),
        Column("closed_by", Text, nullable=False, server_default=""),
        Column("reason", Text, nullable=False, server_default=""),
        # What was posted with it: the difference as rounding.
        Column("transaction_id", Uuid),
        # The same difference is one case, whichever statement or job finds it.
        UniqueConstraint("merchant_id", "source", "reference", "kind"),
        CheckConstraint(
            "kind IN ('missing_here', 'missing_there', 'amount_differs', 'outgoing_missing_here', "
            "'outgoing_missing_there')",
            name="kind_known",
        ),
        CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL AND closed_by <> '' AND reason <> '')",
            name="closed_says_how",
        ),
        CheckConstraint("state IN ('open', 'closed')", name="state_known"),
        CheckConstraint("transaction_id IS NULL OR state = 'closed'", name="posted_when_closed"),
        Index("ix_reconciliation_case_merchant_id_id", "merchant_id", "id"),
    )
