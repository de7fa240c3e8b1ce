from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

# The row is the arbiter: claim, secure, release and expire lock it first, so of two that race one
# comes second and sees what the first did. No clock decides.
reservation = Table(
    "reservation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("reference", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("created_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("expires_at", MOMENT),
    Column("settled_at", MOMENT),
    Column("release_reason", Text),
    # Of a hold that was claimed partly: units sold per line, in the order of their numbers. Null:
    # all that was held.
    Column("sold_quantities", ARRAY(Integer)),
    # Whether rows of hold_share or quota_use belong to it.
    Column("is_budgeted", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("merchant_id", "reference"),
    CheckConstraint("status IN ('held', 'secured', 'sold', 'released', 'expired')", name="status"),
    CheckConstraint("(status <> 'held') OR (expires_at IS NOT NULL)", name="hold_is_limited"),
    CheckConstraint("quantity >= 1", name="quantity"),
    Index("ix_reservation_due", "expires_at", postgresql_where=text("status = 'held'")),
)

# Without a foreign key: lines are written by the statement that writes their reservation, and the
# check would cost a look-up per line in the hottest transaction of the suite.
reservation_line = Table(
    "reservation_line",
    metadata,
    Column("reservation_id", Uuid, primary_key=True),
    Column("line_no", SmallInteger, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("pool_id", Uuid, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("min_valid_seconds", Integer, nullable=False, server_default="0"),
    CheckConstraint("quantity BETWEEN 1 AND 10000", name="quantity"),
    CheckConstraint("min_valid_seconds >= 0", name="min_valid_seconds"),
)
