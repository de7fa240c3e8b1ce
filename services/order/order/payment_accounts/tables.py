from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kit.db import clock_time
from order.tables import metadata

payment_account = Table(
    "payment_account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("secret_names", ARRAY(Text), nullable=False),
    # Sealed under the key named by key_id, bound to this row's id.
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    clock_time("created_at"),
    clock_time("updated_at"),
    CheckConstraint("octet_length(sealed) >= 40", name="is_sealed"),
    Index("ix_payment_account_merchant_id_id", "merchant_id", "id"),
    Index("ix_payment_account_provider", "provider"),
)
