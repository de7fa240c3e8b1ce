from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
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


def split_tables(metadata: MetaData) -> None:
    Table(
        "split",
        metadata,
        Column("line_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("channel_id", Uuid, nullable=False),
        Column("product_id", Uuid),
        Column("sku", Text, nullable=False),
        Column("currency", Text, nullable=False),
        Column("rule_id", Uuid, nullable=False),
        Column("gross_minor", BigInteger, nullable=False),
        Column("channel_fee_minor", BigInteger, nullable=False),
        # The platform's share before channel fees it bears, and after (then it may be negative).
        Column("share_minor", BigInteger, nullable=False),
        Column("platform_minor", BigInteger, nullable=False),
        Column("merchant_minor", BigInteger, nullable=False),
        Column("fee_bearer", Text, nullable=False),
        # The channel's own rule says that the platform owes the fee to the merchant.
        Column("fee_is_receivable", Boolean, nullable=False, server_default="false"),
        Column("refund_bearer", Text, nullable=False),
        Column("reserve_basis_points", Integer, nullable=False),
        Column("reserve_days", Integer, nullable=False),
        Column("settled_at", DateTime(timezone=True), nullable=False),
        Column("available_at", DateTime(timezone=True), nullable=False),
        # What of the merchant's part is left there.
        Column("pending_minor", BigInteger, nullable=False),
        Column("reserved_minor", BigInteger, nullable=False, server_default="0"),
        Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
        Column("fee_returned_minor", BigInteger, nullable=False, server_default="0"),
        Column("released_at", DateTime(timezone=True)),
        Column("reserved_until", DateTime(timezone=True)),
        CheckConstraint(
            "channel_fee_minor + platform_minor + merchant_minor = gross_minor",
            name="parts_are_the_whole",
        ),
        CheckConstraint(
            "pending_minor >= 0 AND reserved_minor >= 0 AND refunded_minor >= 0",
            name="amounts_not_negative",
        ),
        Index(
            "ix_split_due",
            "available_at",
            "line_id",
            postgresql_where=text("released_at IS NULL"),
        ),
        Index(
            "ix_split_reserved",
            "reserved_until",
            "line_id",
            postgresql_where=text("reserved_until IS NOT NULL"),
        ),
    )
    # Told with the payment, before the line is delivered; and in any order after a replay.
    Table(
        "split_fee",
        metadata,
        Column("line_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("is_owed_by_platform", Boolean, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("applied_at", DateTime(timezone=True)),
    )
    # A refund may be told before its order: it then waits here for the line.
    Table(
        "split_refund",
        metadata,
        Column("refund_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("line_id", Uuid, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("fee_returned_minor", BigInteger, nullable=False, server_default="0"),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("applied_at", DateTime(timezone=True)),
        Index("ix_split_refund_waiting", "line_id", postgresql_where=text("applied_at IS NULL")),
    )
    Table(
        "split_claim",
        metadata,
        Column("claim_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("line_id", Uuid, nullable=False),
        clock_time("opened_at"),
        Column("decided_at", DateTime(timezone=True)),
        Index("ix_split_claim_open", "line_id", postgresql_where=text("decided_at IS NULL")),
    )
    # What was sold in a month under a rule with tiers.
    Table(
        "settlement_volume",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("scope", Text, primary_key=True),
        Column("currency", Text, primary_key=True),
        Column("month", Date, primary_key=True),
        Column("volume_minor", BigInteger, nullable=False),
    )
