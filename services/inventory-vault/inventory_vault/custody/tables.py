from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from inventory_vault.metadata import metadata

# Private halves lie here wrapped under the master key, which is in no database: a backup of this
# table opens nothing, and a restored one needs nothing but the master key.
sealing_key = Table(
    "sealing_key",
    metadata,
    Column("key_id", Uuid, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("wrapped_private_key", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    CheckConstraint("state IN ('active', 'open_only', 'retired')", name="state"),
    CheckConstraint("octet_length(public_key) = 32", name="public_key"),
    # Two openers that start at once on an empty database agree on one key.
    Index("uq_sealing_key_active", "state", unique=True, postgresql_where=text("state = 'active'")),
)

# What else only the opener may know, wrapped like the private keys: the secret of seal proofs.
opener_secret = Table(
    "opener_secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
)
