from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)

from inventory_vault.metadata import metadata
from kit.db import clock_time

# Private halves lie here wrapped under the master key, which is in no database: a backup of this
# table opens nothing, and a restored one needs nothing but the master key.
sealing_key = Table(
    "sealing_key",
    metadata,
    Column("key_id", Uuid, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("wrapped_private_key", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    clock_time("created_at"),
    Column("rotated_at", DateTime(timezone=True)),
    Column("retired_at", DateTime(timezone=True)),
    CheckConstraint("state IN ('active', 'open_only', 'retired', 'compromised')", name="state"),
    CheckConstraint(
        "state <> 'retired' OR octet_length(wrapped_private_key) = 0", name="destroyed"
    ),
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
    clock_time("created_at"),
)

# A wish of the platform; the opener gives it its key, seals everything anew and destroys the old.
key_rotation = Table(
    "key_rotation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("old_key_id", Uuid),
    Column("key_id", Uuid),
    clock_time("requested_at"),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint("state IN ('running', 'finished')", name="state"),
    Index(
        "uq_key_rotation_running",
        "state",
        unique=True,
        postgresql_where=text("state = 'running'"),
    ),
)
