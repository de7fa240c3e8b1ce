"""Tables of this slice: bought codes, sealed for the vault, until it has them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from fulfillment.arrivals.domain import ArrivalState
from kit.db import clock_time


def arrival_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    states = ", ".join(f"'{state.value}'" for state in ArrivalState)
    Table(
        "arrival",
        metadata,
        # The lot in the vault.
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        # What was bought under one reference becomes one lot.
        Column("purchase_id", Uuid, ForeignKey("purchase.id"), nullable=False),
        Column("procurement_id", Uuid),
        Column("order_id", Uuid),
        Column("pool_id", Uuid),
        Column("waiter_id", Uuid),
        Column("supplier", Text, nullable=False),
        Column("supplier_sku", Text, nullable=False),
        Column("wanted", Integer, nullable=False),
        Column("quantity", Integer, nullable=False),
        Column("cost_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("is_late", Boolean, nullable=False, server_default=text("false")),
        Column("key_id", Uuid, nullable=False),
        Column("public_key", LargeBinary, nullable=False),
        # What a pool for these units is of; empty where they are of several kinds.
        Column("kind", Text, nullable=False, server_default=""),
        # Who named the pool, where the purchase named none.
        Column("placed_by", Text),
        # What the vault said of the whole lot last, where it was a no.
        Column("refused_as", Text, nullable=False, server_default=""),
        Column("state", Text, nullable=False, server_default=ArrivalState.SEALED.value),
        Column("accepted", Integer, nullable=False, server_default="0"),
        Column("rejected", Integer, nullable=False, server_default="0"),
        Column("duplicates", Integer, nullable=False, server_default="0"),
        Column("tries", Integer, nullable=False, server_default="0"),
        clock_time("due_at"),
        Column("lease_id", Uuid),
        clock_time("created_at"),
        Column("ended_at", DateTime(timezone=True)),
        UniqueConstraint("purchase_id"),
        CheckConstraint(f"state IN ({states})", name="state_known"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint(
            "(state IN ('stored', 'refused', 'lost')) = (ended_at IS NOT NULL)",
            name="ended_has_time",
        ),
        CheckConstraint("accepted + rejected + duplicates <= quantity", name="no_more_than_came"),
        Index(
            "ix_arrival_due_at",
            "due_at",
            postgresql_where=text("state = 'sealed' AND pool_id IS NOT NULL"),
        ),
        Index("ix_arrival_procurement_id", "procurement_id"),
        Index("ix_arrival_merchant_id_created_at_id", "merchant_id", "created_at", "id"),
    )
    Table(
        "arrival_box",
        metadata,
        Column("arrival_id", Uuid, ForeignKey("arrival.id"), primary_key=True),
        Column("line", Integer, primary_key=True),
        Column("unit_id", Uuid, nullable=False),
        Column("nonce", LargeBinary, nullable=False),
        Column("ciphertext", LargeBinary, nullable=False),
        Column("cost_minor", BigInteger, nullable=False),
        Column("expires_at", DateTime(timezone=True)),
    )
