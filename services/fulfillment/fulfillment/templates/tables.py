"""Tables of this slice: merchants' templates and their versions. Versions are never changed."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from fulfillment.templates.domain import Channel
from kit.db import clock_time


def template_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    channels = ", ".join(f"'{channel.value}'" for channel in Channel)
    Table(
        "template",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("name", Text, nullable=False, server_default=""),
        Column("purpose", Text, nullable=False),
        Column("language", Text, nullable=False),
        Column("channel", Text, nullable=False),
        clock_time("created_at"),
        UniqueConstraint(
            "merchant_id", "name", "purpose", "language", "channel", name="uq_template_place"
        ),
        CheckConstraint(f"channel IN ({channels})", name="channel_known"),
        Index("ix_template_merchant_id_id", "merchant_id", "id"),
    )
    Table(
        "template_version",
        metadata,
        Column("template_id", Uuid, ForeignKey("template.id"), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("subject", Text, nullable=False),
        Column("body", Text, nullable=False),
        Column("with_codes", Boolean, nullable=False, server_default=text("false")),
        Column("gateway_template", Text, nullable=False, server_default=""),
        # A list of [name, template]: a gateway may know its parameters by their order.
        Column("parameters", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
        Column("created_by", Text, nullable=False, server_default=""),
        clock_time("created_at"),
        CheckConstraint("version > 0", name="version_positive"),
        # A subject is one line of a mail's head.
        CheckConstraint(r"subject !~ '[\r\n]'", name="subject_is_one_line"),
    )
