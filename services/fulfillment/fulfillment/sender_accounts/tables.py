"""Tables of this slice: merchants' own senders."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from fulfillment.templates.domain import Channel
from kit.db import clock_time


def sender_account_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    channels = ", ".join(f"'{channel.value}'" for channel in Channel)
    Table(
        "sender_account",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("sender", Text, nullable=False),
        Column("channel", Text, nullable=False),
        Column("settings", JSONB, nullable=False),
        # Sealed for this row.
        Column("secret", LargeBinary, nullable=False),
        Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
        clock_time("created_at"),
        CheckConstraint(f"channel IN ({channels})", name="channel_known"),
        Index("ix_sender_account_merchant_id_id", "merchant_id", "id"),
        Index(
            "uq_sender_account_merchant_id_channel_enabled",
            "merchant_id",
            "channel",
            unique=True,
            postgresql_where=text("is_enabled"),
        ),
    )
