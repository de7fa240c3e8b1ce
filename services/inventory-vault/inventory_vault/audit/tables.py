from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

# The queue: written by the transaction of what an entry tells, emptied by the sequencer. Triggers
# refuse changes.
audit_pending = Table(
    "audit_pending",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid),
    Column("object_id", Uuid, nullable=False),
    Column("action", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("noted_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("octet_length(leaf_hash) = 32", name="leaf_hash"),
)

# Append-only, by trigger; written by the sequencer alone, so `seq` has no gap.
audit_entry = Table(
    "audit_entry",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", Uuid, nullable=False),
    Column("merchant_id", Uuid),
    Column("object_id", Uuid, nullable=False),
    Column("action", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    UniqueConstraint("entry_id"),
    CheckConstraint("seq >= 0", name="seq"),
    CheckConstraint("octet_length(leaf_hash) = 32", name="leaf_hash"),
    Index("ix_audit_entry_merchant_id_seq", "merchant_id", "seq"),
    Index("ix_audit_entry_object_id", "object_id"),
)

# The tree's hashes as C2SP tlog-tiles: 256 to a row. By trigger a row only grows.
audit_tile = Table(
    "audit_tile",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    CheckConstraint("level BETWEEN 0 AND 7 AND idx >= 0", name="place"),
    CheckConstraint(
        "octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0", name="hashes"
    ),
)

# Append-only, by trigger: one signed head per size, so there are never two of one size.
audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("vkey", Text, nullable=False),
    Column("at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("size >= 1", name="size"),
    CheckConstraint("octet_length(root) = 32", name="root"),
)
