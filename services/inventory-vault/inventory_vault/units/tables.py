from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
)

from inventory_vault.metadata import metadata
from kit.db import clock_time

# Append-only: who saw which unit, when, from where, why. Committed before the opener is asked,
# which re-seals to the key written here and to no other.
unit_view = Table(
    "unit_view",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("unit_id", Uuid, nullable=False),
    Column("reservation_id", Uuid, nullable=False),
    Column("recipient_public_key", LargeBinary, nullable=False),
    Column("viewer_kind", Text, nullable=False),
    Column("viewer_id", Text, nullable=False),
    Column("ip", Text),
    Column("user_agent", Text),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    clock_time("seen_at"),
    # Keys the viewer's digest in the audit log; erased together with the viewer.
    Column("salt", LargeBinary),
    CheckConstraint("octet_length(salt) = 16", name="salt"),
    CheckConstraint("octet_length(recipient_public_key) = 32", name="recipient_public_key"),
    Index("ix_unit_view_unit_id_id", "unit_id", "id"),
)
