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
)
from sqlalchemy import text as sql

from risk.labels.domain import BAD, LabelKind

_KINDS = ", ".join(f"'{kind}'" for kind in LabelKind)
_IS_BAD = "kind IN ({})".format(", ".join(f"'{kind}'" for kind in BAD))


def label_tables(metadata: MetaData) -> None:
    Table(
        "order_label",
        metadata,
        Column("order_id", Uuid, primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("source", Text, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        # Of the purchase, which forgets its own after a while.
        Column("customer_key", Uuid),
        Column("contact_key", Uuid),
        CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
        *(
            Index(
                f"ix_order_label_{of}_key",
                f"{of}_key",
                "kind",
                "order_id",
                postgresql_where=sql(f"{of}_key IS NOT NULL AND {_IS_BAD}"),
            )
            for of in ("customer", "contact")
        ),
    )
