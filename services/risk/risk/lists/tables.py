from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import CIDR

from kit.db import clock_time


def list_tables(metadata: MetaData) -> None:
    """Entries of lists. An entry is met by the digest of a key, or by an address in its network."""
    Table(
        "list_entry",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("list", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("value", Text, nullable=False),
        Column("digest", Uuid),
        Column("network", CIDR),
        Column("reason", Text, nullable=False),
        Column("author", Text, nullable=False),
        clock_time("added_at"),
        Column("expires_at", DateTime(timezone=True)),
        CheckConstraint(
            "kind IN ('ip', 'network', 'device', 'contact', 'customer', 'payer', 'product')",
            name="kind_known",
        ),
        CheckConstraint(
            "(kind IN ('ip', 'network')) = (network IS NOT NULL)"
            " AND (network IS NULL) = (digest IS NOT NULL)",
            name="met_one_way",
        ),
        UniqueConstraint("merchant_id", "list", "kind", "value"),
        Index("ix_list_entry_merchant_id_list_id", "merchant_id", "list", "id"),
        Index("ix_list_entry_digest", "digest", postgresql_where=text("digest IS NOT NULL")),
        Index(
            "ix_list_entry_network",
            "network",
            postgresql_using="gist",
            postgresql_ops={"network": "inet_ops"},
        ),
    )
