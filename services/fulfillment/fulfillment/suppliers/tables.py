"""Tables of this slice: the merchant's accounts with suppliers."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time


def supplier_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "supplier",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        # What offers name it by.
        Column("name", Text, nullable=False),
        Column("connector", Text, nullable=False),
        Column("base_url", Text, nullable=False, server_default=""),
        Column("account_id", Text, nullable=False, server_default=""),
        # Sealed; never read back over HTTP.
        Column("secret", LargeBinary, nullable=False),
        # Sealed too; null where `secret` signs the supplier's calls to us as well.
        Column("callback_secret", LargeBinary),
        # What signed its calls to us before, sealed, and how long that is believed too.
        Column("former_callback_secret", LargeBinary),
        Column("former_callback_until", DateTime(timezone=True)),
        # The connector's own settings of this account; nothing secret.
        Column("options", JSONB, nullable=False, server_default=text("'{}'")),
        # Null: what the connector declares.
        Column("timeout_seconds", Float),
        Column("visibility_delay_seconds", Float),
        Column("unknown_ttl_seconds", Float),
        Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
        clock_time("created_at"),
        UniqueConstraint("merchant_id", "name"),
        CheckConstraint(
            "(former_callback_secret IS NULL) = (former_callback_until IS NULL)",
            name="former_callback_secret_ends",
        ),
        CheckConstraint("timeout_seconds > 0", name="timeout_positive"),
        CheckConstraint("visibility_delay_seconds >= 0", name="visibility_delay_not_negative"),
        CheckConstraint("unknown_ttl_seconds >= 0", name="unknown_ttl_not_negative"),
    )
