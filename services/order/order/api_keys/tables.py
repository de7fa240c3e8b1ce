"""The backbone's api_key table is the authority on keys; this one adds what only people need."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text, Uuid

from kit.db import clock_time
from order.tables import metadata

issued_key = Table(
    "issued_key",
    metadata,
    Column("key_id", Text, ForeignKey("api_key.key_id"), primary_key=True),
    Column("merchant_id", Uuid),
    Column("name", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    clock_time("created_at"),
    # The bundle of scopes it was given, if it was one.
    Column("role", Text),
    Index("ix_issued_key_merchant_id_created_at", "merchant_id", "created_at", "key_id"),
)
