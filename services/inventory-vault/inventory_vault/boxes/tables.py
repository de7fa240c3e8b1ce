from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

# What the parts of an upload are held against: for whom its boxes must be sealed. A dry run has no
# row of `lot`, so the lot's words are here.
box_upload = Table(
    "box_upload",
    metadata,
    Column("import_id", Uuid, ForeignKey("stock_import.id"), primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("pool_id", Uuid, nullable=False),
    Column("lot_id", Uuid, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("unit_cost", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("supplier", Text, nullable=False),
    Column("note", Text),
    Column("expires_at", MOMENT),
    Column("has_unit_expiry", Boolean, nullable=False, server_default=text("false")),
    Column("is_dry_run", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("unit_cost >= 0", name="unit_cost"),
)

# A part is stored in one transaction with its row here: the primary key makes it be stored once.
box_part = Table(
    "box_part",
    metadata,
    Column("import_id", Uuid, ForeignKey("box_upload.import_id"), primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("duplicates", Integer, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("stored_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("part BETWEEN 1 AND 10000", name="part"),
    CheckConstraint("octet_length(digest) = 32", name="digest"),
)
