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
    Table,
    Text,
    Uuid,
    func,
    text,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

stock_import = Table(
    "stock_import",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("pool_id", Uuid, ForeignKey("pool.id"), nullable=False),
    # Null for a dry run, and once a failed import was taken back.
    Column("lot_id", Uuid),
    Column("status", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("encoding", Text),
    Column("separator", Text),
    Column("lines_read", Integer, nullable=False, server_default="0"),
    Column("accepted", Integer, nullable=False, server_default="0"),
    Column("rejected", Integer, nullable=False, server_default="0"),
    Column("duplicates", Integer, nullable=False, server_default="0"),
    Column("failure", Text),
    Column("created_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    # Moved by the process that works on it; one that stands still is taken for crashed.
    Column("alive_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("finished_at", MOMENT),
    # So long it may stand still. A process that works on a file says every few seconds that it is
    # alive; a shop that uploads boxes may come back after hours.
    Column("idle_seconds_max", Integer, nullable=False, server_default="120"),
    # Parts of boxes that are stored; null for a file.
    Column("parts_stored", Integer),
    # What the lot becomes, so that an interrupted import goes on with nothing but its file. Null
    # where the stock does not come from a file.
    Column("supplier", Text),
    Column("unit_cost", BigInteger),
    Column("currency", Text),
    Column("expires_at", MOMENT),
    Column("note", Text),
    Column("requested_by", Text),
    Column("options", Text),
    # Keyed: whether a resumed import gets the same file. Never a plain hash of codes.
    Column("file_digest", LargeBinary),
    Column("is_dry_run", Boolean, nullable=False, server_default=text("false")),
    Column("needs_activation", Boolean, nullable=False, server_default=text("false")),
    # How far it is: written in the transaction of the chunk's units.
    Column("phase", Text, nullable=False, server_default="waiting"),
    Column("chunks_stored", Integer, nullable=False, server_default="0"),
    Column("bytes_read", BigInteger, nullable=False, server_default="0"),
    Column("units", Integer, nullable=False, server_default="0"),
    Column("duplicates_elsewhere", Integer, nullable=False, server_default="0"),
    Column("total_cost", BigInteger, nullable=False, server_default="0"),
    Column("is_mixed", Boolean, nullable=False, server_default=text("false")),
    Column("head_expires_at", MOMENT),
    Column("interrupted_at", MOMENT),
    CheckConstraint(
        "status IN ('running', 'interrupted', 'completed', 'failed', 'dry_run')", name="status"
    ),
    CheckConstraint("phase IN ('waiting', 'reading', 'storing', 'done')", name="phase"),
    CheckConstraint("status <> 'interrupted' OR interrupted_at IS NOT NULL", name="interrupted"),
    Index("ix_stock_import_merchant_id_id", "merchant_id", "id"),
    Index("ix_stock_import_running", "alive_at", postgresql_where=text("status = 'running'")),
    Index(
        "ix_stock_import_interrupted",
        "interrupted_at",
        postgresql_where=text("status = 'interrupted'"),
    ),
    Index(
        "ix_stock_import_undone",
        "id",
        postgresql_where=text("status = 'failed' AND lot_id IS NOT NULL"),
    ),
)

# Refused lines: their number and why, never what was in them.
stock_import_line = Table(
    "stock_import_line",
    metadata,
    Column("import_id", Uuid, ForeignKey("stock_import.id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
