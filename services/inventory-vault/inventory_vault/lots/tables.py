"""What stands on the shelves.

A unit is always in exactly one place: ahead of its lot's cursor, in the free list, allocated, or
withdrawn. No row of `unit` changes when it is sold: taking stock moves one number of the lot.

The big tables have no foreign keys on purpose: each would cost an index look-up per row of a
million-row import, and every row here is written by one statement that reads its parent under lock.
"""

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

# `next_seq` is the cursor: units 1 .. next_seq-1 were passed, the rest is on the shelf except
# `gaps_ahead` of them, which are withdrawn or were taken out of order. Units given back behind the
# cursor lie in free_unit (`free_count`) and go first.
lot = Table(
    "lot",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("pool_id", Uuid, ForeignKey("pool.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("size", Integer, nullable=False, server_default="0"),
    Column("next_seq", Integer, nullable=False, server_default="1"),
    Column("free_count", Integer, nullable=False, server_default="0"),
    Column("gaps_ahead", Integer, nullable=False, server_default="0"),
    # Kept apart from the figures so that the index of lots worth looking at rarely changes.
    Column("has_stock", Boolean, nullable=False, server_default=text("false")),
    # The units differ in expiry (then they are numbered in its order) or share the lot's.
    Column("mixed_expiry", Boolean, nullable=False, server_default=text("false")),
    # Expiry of the unit that goes next: the order in which lots are drained.
    Column("head_expires_at", MOMENT),
    Column("expires_at", MOMENT),
    Column("unit_cost", BigInteger, nullable=False),
    Column("total_cost", BigInteger, nullable=False, server_default="0"),
    Column("currency", Text, nullable=False),
    Column("supplier", Text, nullable=False),
    Column("note", Text),
    Column("created_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("on_shelf_at", MOMENT),
    CheckConstraint(
        "state IN ('importing', 'inactive', 'on_shelf', 'quarantined', 'void', 'undone')",
        name="state",
    ),
    CheckConstraint("size >= 0 AND next_seq BETWEEN 1 AND size + 1", name="cursor"),
    CheckConstraint("free_count BETWEEN 0 AND next_seq - 1", name="free_count"),
    CheckConstraint("gaps_ahead BETWEEN 0 AND size - next_seq + 1", name="gaps_ahead"),
    CheckConstraint("unit_cost >= 0 AND total_cost >= 0", name="cost"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    Index("ix_lot_pool_id", "pool_id"),
    Index("ix_lot_undone", "id", postgresql_where=text("state = 'undone'")),
    Index(
        "ix_lot_pool_id_has_stock",
        "pool_id",
        postgresql_where=text("has_stock AND state = 'on_shelf'"),
    ),
    postgresql_with={"fillfactor": "50"},
)

# With which key pair the boxes of a lot were sealed. A second row appears while a key rotation
# re-seals the lot; each unit names its row.
lot_seal = Table(
    "lot_seal",
    metadata,
    Column("lot_id", Uuid, ForeignKey("lot.id", ondelete="CASCADE"), primary_key=True),
    Column("seal_no", SmallInteger, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("sender_public_key", LargeBinary, nullable=False),
    # Made by the opener, who opens nothing under a seal without it.
    Column("proof", LargeBinary),
    # How many units name it, once a rotation counted them.
    Column("units", Integer),
    CheckConstraint("units >= 0", name="units"),
    CheckConstraint("octet_length(sender_public_key) = 32", name="sender_public_key"),
    CheckConstraint("octet_length(proof) = 32", name="proof"),
    Index("ix_lot_seal_key_id", "key_id", "lot_id"),
)

# Counters of what claims, views and withdrawals change: apart from the cursor, so that they never
# wait for a reservation nor it for them.
lot_tally = Table(
    "lot_tally",
    metadata,
    Column("lot_id", Uuid, ForeignKey("lot.id", ondelete="CASCADE"), primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("sold", Integer, nullable=False, server_default="0"),
    Column("opened", Integer, nullable=False, server_default="0"),
    Column("redeemed", Integer, nullable=False, server_default="0"),
    Column("expired", Integer, nullable=False, server_default="0"),
    Column("quarantined", Integer, nullable=False, server_default="0"),
    Column("void", Integer, nullable=False, server_default="0"),
    Column("inactive", Integer, nullable=False, server_default="0"),
    # Of the expired and void ones: those that the books were told of.
    Column("written_off", Integer, nullable=False, server_default="0"),
    CheckConstraint("sold >= 0 AND opened >= 0 AND redeemed >= 0", name="sold"),
    CheckConstraint(
        "expired >= 0 AND quarantined >= 0 AND void >= 0 AND inactive >= 0", name="withdrawn"
    ),
    postgresql_with={"fillfactor": "50"},
)

unit = Table(
    "unit",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("unit_id", Uuid, nullable=False),
    Column("merchant_id", Uuid, nullable=False),
    Column("seal_no", SmallInteger, nullable=False, server_default="0"),
    Column("nonce", LargeBinary, nullable=False),
    Column("box", LargeBinary, nullable=False),
    Column("mask", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    # Null: as the lot says.
    Column("unit_cost", BigInteger),
    Column("expires_at", MOMENT),
    # Equal for equal codes of all merchants: counts, in a receipt, codes that others hold too.
    # Null for units from before there were marks.
    Column("mark", BigInteger),
    # Its box was overwritten after the retention time; what is told of it is in `shredding`.
    Column("shredding_id", Uuid),
    UniqueConstraint("unit_id"),
    UniqueConstraint("merchant_id", "fingerprint"),
    Index("ix_unit_mark", "mark", postgresql_where=text("mark IS NOT NULL")),
    CheckConstraint("seq >= 1", name="seq"),
    CheckConstraint(
        "octet_length(nonce) = CASE WHEN shredding_id IS NULL THEN 24 ELSE 0 END", name="nonce"
    ),
    CheckConstraint("shredding_id IS NULL OR octet_length(box) = 0", name="shredded"),
    CheckConstraint("unit_cost >= 0", name="unit_cost"),
    # Finds where the units begin that are valid long enough; units that end with their lot, or
    # never, are not in it.
    Index(
        "ix_unit_lot_id_expires_at",
        "lot_id",
        "expires_at",
        "seq",
        postgresql_where=text("expires_at IS NOT NULL"),
    ),
)

# Taken units. The primary key is the promise that a unit is in one hold at most; a trigger lets the
# state go forward only and lets go of reserved rows only.
allocation = Table(
    "allocation",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("reservation_id", Uuid, nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("merchant_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    CheckConstraint("state IN ('reserved', 'sold', 'opened', 'redeemed')", name="state"),
    Index("ix_allocation_reservation_id", "reservation_id"),
    # Half of each page is left for the sale: the sold row stays on it and out of both indexes.
    postgresql_with={"fillfactor": "45"},
)

free_unit = Table(
    "free_unit",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("expires_at", MOMENT),
)

withdrawn_unit = Table(
    "withdrawn_unit",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("withdrawn_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("state IN ('inactive', 'expired', 'quarantined', 'void')", name="state"),
    Index(
        "ix_withdrawn_unit_withdrawn_at",
        "withdrawn_at",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    ),
)

# Append-only (a trigger refuses everything but INSERT): the primary key makes a second sale of a
# unit impossible to write down.
unit_sale = Table(
    "unit_sale",
    metadata,
    Column("unit_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("lot_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("reservation_id", Uuid, nullable=False),
    Column("line_no", SmallInteger, nullable=False),
    Column("sold_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    # A few bytes per 128 pages, for finding what is over the retention time: rows come in the order
    # of time, and a sale hardly notices it.
    Index(
        "ix_unit_sale_sold_at",
        "sold_at",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    ),
)
