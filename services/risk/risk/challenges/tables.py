from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)

from kit.db import clock_time
from risk.challenges.domain import ChallengeStatus

_STATUSES = ", ".join(f"'{status}'" for status in ChallengeStatus)


def challenge_tables(metadata: MetaData) -> None:
    Table(
        "challenge",
        metadata,
        # The assessment's that asks for it: one each.
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("reference", Text, nullable=False),
        Column("status", Text, nullable=False, server_default="open"),
        Column("reason", Text, nullable=False),
        Column("tries", Integer, nullable=False, server_default="0"),
        Column("resends", Integer, nullable=False, server_default="0"),
        Column("channel", Text, nullable=False, server_default=""),
        # A mask: contacts are never here.
        Column("target", Text, nullable=False, server_default=""),
        clock_time("opened_at"),
        Column("expires_at", DateTime(timezone=True), nullable=False),
        Column("ended_at", DateTime(timezone=True)),
        CheckConstraint(f"status IN ({_STATUSES})", name="status_known"),
        CheckConstraint("(status = 'open') = (ended_at IS NULL)", name="ended_when_closed"),
        CheckConstraint("tries >= 0 AND resends >= 0", name="counts_not_negative"),
        Index("ix_challenge_order_id", "order_id"),
        Index("ix_challenge_due", "expires_at", postgresql_where=text("status = 'open'")),
    )
