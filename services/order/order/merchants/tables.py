from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kit.db import clock_time
from order.tables import metadata

merchant = Table(
    "merchant",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    clock_time("created_at"),
    Column("suspended_at", DateTime(timezone=True)),
    Column("suspended_reason", Text, nullable=False, server_default=""),
    # What is tried for short lines where neither product nor channel says.
    Column("shortage", JSONB),
)

channel = Table(
    "channel",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, ForeignKey("merchant.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("is_trusted", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    clock_time("created_at"),
    Column("price_list_id", Uuid),
    Column("fee_basis_points", Integer, nullable=False, server_default="0"),
    Column("fee_fixed_minor", BigInteger, nullable=False, server_default="0"),
    Column("fee_bearer", Text, nullable=False, server_default="merchant"),
    Column("fee_on_refund", Text, nullable=False, server_default="kept"),
    Column("allowed_skus", ARRAY(Text), nullable=False, server_default="{}"),
    Column("denied_skus", ARRAY(Text), nullable=False, server_default="{}"),
    Column("region", Text),
    Column("min_valid_seconds", Integer, nullable=False, server_default="0"),
    Column("late_payments", Text, nullable=False, server_default="expired"),
    Column("shortage", JSONB),
    Column("risk_default", Text, nullable=False, server_default="wait"),
    Column("risk_wait_seconds", Integer, nullable=False, server_default="30"),
    CheckConstraint("risk_default IN ('wait', 'allow', 'hold')", name="risk_default_known"),
    CheckConstraint("risk_wait_seconds BETWEEN 1 AND 86400", name="risk_wait_bounded"),
    CheckConstraint("fee_basis_points BETWEEN 0 AND 10000", name="fee_share"),
    CheckConstraint("fee_fixed_minor >= 0", name="fee_not_negative"),
    CheckConstraint("fee_bearer IN ('merchant', 'platform')", name="fee_bearer_known"),
    CheckConstraint("fee_on_refund IN ('kept', 'returned')", name="fee_on_refund_known"),
    CheckConstraint("min_valid_seconds >= 0", name="min_valid_not_negative"),
    CheckConstraint(
        "late_payments IN ('give_back', 'expired', 'expired_or_cancelled')",
        name="late_payments_known",
    ),
    Index("ix_channel_merchant_id_id", "merchant_id", "id"),
)
