"""Tables of this slice: endpoints, their keys (sealed), and the lanes calls to them go in."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from kit.db import clock_time


def webhook_endpoint_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    Table(
        "webhook_endpoint",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("url", Text, nullable=False),
        Column("description", Text, nullable=False, server_default=""),
        Column("event_types", ARRAY(Text), nullable=False, server_default=text("'{}'")),
        Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
        Column("disabled_because", Text),
        Column("disabled_at", DateTime(timezone=True)),
        Column("failures", Integer, nullable=False, server_default="0"),
        Column("failing_since", DateTime(timezone=True)),
        Column("last_success_at", DateTime(timezone=True)),
        clock_time("opens_at"),
        clock_time("created_at"),
        Column("deleted_at", DateTime(timezone=True)),
        CheckConstraint(
            "disabled_because IN ('by_request', 'failing', 'gone')", name="disabled_because_known"
        ),
        CheckConstraint(
            "is_enabled = (disabled_because IS NULL) AND is_enabled = (disabled_at IS NULL)",
            name="disabled_has_reason",
        ),
        CheckConstraint("failures >= 0", name="failures_not_negative"),
        CheckConstraint(
            "(failures = 0) = (failing_since IS NULL)", name="failing_since_first_failure"
        ),
        Index("ix_webhook_endpoint_merchant_id_id", "merchant_id", "id"),
    )
    Table(
        "webhook_key",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("endpoint_id", Uuid, ForeignKey("webhook_endpoint.id"), nullable=False),
        Column("scheme", Text, nullable=False),
        # Sealed for this row: the shared secret, or the seed of the private key.
        Column("secret", LargeBinary, nullable=False),
        Column("ends_at", DateTime(timezone=True)),
        clock_time("created_at"),
        CheckConstraint("scheme IN ('v1', 'v1a')", name="scheme_known"),
        Index("ix_webhook_key_endpoint_id", "endpoint_id"),
        # One key of a scheme lasts; the others are on their way out.
        Index(
            "uq_webhook_key_endpoint_id_scheme_lasting",
            "endpoint_id",
            "scheme",
            unique=True,
            postgresql_where=text("ends_at IS NULL"),
        ),
    )
    # Who holds a lane's lease is the only one that calls there: as many calls at once as lanes.
    Table(
        "webhook_lane",
        metadata,
        Column("endpoint_id", Uuid, ForeignKey("webhook_endpoint.id"), primary_key=True),
        Column("lane_no", SmallInteger, primary_key=True),
        Column("lease_id", Uuid),
        clock_time("lease_ends_at"),
    )
