from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
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
    CheckConstraint("status IN ('running', 'completed', 'failed', 'dry_run')", name="status"),
    Index("ix_stock_import_running", "alive_at", postgresql_where=text("status = 'running'")),
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
