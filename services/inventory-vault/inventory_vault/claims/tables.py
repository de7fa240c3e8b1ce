from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

# Append-only: to which key the units of a sold reservation were handed out. Committed before the
# opener is asked, which reads the recipient's key from here and from nowhere else.
handout = Table(
    "handout",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("reservation_id", Uuid, ForeignKey("reservation.id"), nullable=False),
    Column("recipient_public_key", LargeBinary, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("octet_length(recipient_public_key) = 32", name="recipient_public_key"),
    Index("ix_handout_reservation_id", "reservation_id"),
)
