from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from kit.db import clock_time

SINGLE_KEYS = ("ip", "ip_24", "device", "customer", "contact", "payer", "channel")
"""Kinds of which a purchase has at most one key: its digest is a column of the purchase."""
_KINDS = "'ip', 'ip_24', 'device', 'customer', 'contact', 'payer', 'product', 'channel'"


def velocity_tables(metadata: MetaData) -> None:
    """Purchases as they happened, and the keys they are counted by."""
    _purchase(metadata)
    _purchase_product(metadata)
    _velocity_key(metadata)


def _purchase(metadata: MetaData) -> None:
    Table(
        "purchase",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("source", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("channel_id", Text, nullable=False),
        Column("reference", Text, nullable=False),
        Column("customer_id", Text, nullable=False),
        Column("ip", Text, nullable=False),
        Column("device_id", Text, nullable=False),
        Column("contact_hash", Text, nullable=False),
        Column("registered_at", DateTime(timezone=True)),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("skus", ARRAY(Text), nullable=False),
        Column("quantities", ARRAY(Integer), nullable=False),
        clock_time("recorded_at"),
        Column("payer_hash", Text, nullable=False, server_default=""),
        # The order of recording: a key's purchases get it while the key is locked.
        Column("seq", BigInteger, Identity(always=True), nullable=False),
        Column("quantity", Integer, nullable=False, server_default="0"),
        *(Column(f"{kind}_key", Uuid) for kind in SINGLE_KEYS),
        Column("product_keys", ARRAY(Uuid), nullable=False, server_default="{}"),
        Column("unpaid", SmallInteger, nullable=False, server_default="0"),
        Column("failed", SmallInteger, nullable=False, server_default="0"),
        Column("refunded", SmallInteger, nullable=False, server_default="0"),
        # Its time in the counts is over: it has no keys any more.
        Column("is_forgotten", Boolean, nullable=False, server_default=text("false")),
        CheckConstraint("source IN ('order', 'shop')", name="source_known"),
        CheckConstraint("cardinality(skus) = cardinality(quantities)", name="lines_paired"),
        Index("ix_purchase_merchant_id_at", "merchant_id", "at"),
        Index("ix_purchase_at", "at", postgresql_where=text("NOT is_forgotten")),
        *(
            Index(
                f"ix_purchase_{kind}_key",
                f"{kind}_key",
                "at",
                postgresql_where=text(f"{kind}_key IS NOT NULL"),
            )
            for kind in SINGLE_KEYS
        ),
        # Outcomes come later, one or two per purchase: there is room for them on the page.
        postgresql_with={"fillfactor": "90"},
    )


def _purchase_product(metadata: MetaData) -> None:
    Table(
        "purchase_product",
        metadata,
        Column("purchase_id", Uuid, ForeignKey("purchase.id"), primary_key=True),
        Column("key", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("quantity", Integer, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Index("ix_purchase_product_key_at", "key", "at"),
    )


def _velocity_key(metadata: MetaData) -> None:
    # The row that is locked while a key is counted: without it, two batches in different
    # transactions would not see each other's purchases and both would pass a limit.
    Table(
        "velocity_key",
        metadata,
        Column("key", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("kind", Text, nullable=False),
        Column("purchases_total", BigInteger, nullable=False),
        Column("newest_at", DateTime(timezone=True), nullable=False),
        Column("is_rolled", Boolean, nullable=False, server_default=text("false")),
        # Kinds of values whose pairs are kept for this key.
        Column("paired", ARRAY(Text), nullable=False, server_default="{}"),
        CheckConstraint("purchases_total >= 0", name="purchases_total_not_negative"),
        CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
        postgresql_with={"fillfactor": "80"},
    )
