"""The tables every service's database has: idempotency, API key replica, outbox, inbox, dead
letters.
"""

from typing import Protocol

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from kit.db import new_metadata
from kit.messaging.tables import messaging_tables


def backbone_tables(metadata: MetaData) -> None:
    """Adds the tables to a service's metadata; its first migration creates them by `create`."""
    Table(
        "idempotency",
        metadata,
        Column("principal", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("request_hash", LargeBinary, nullable=False),
        Column("status", SmallInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("location", Text),
        Column(
            "created_at",
            DateTime(timezone=True),
            nullable=False,
            server_default=func.clock_timestamp(),
            index=True,
        ),
        CheckConstraint("octet_length(body) < 16777216", name="body_size"),
    )
    Table(
        "api_key",
        metadata,
        Column("key_id", Text, primary_key=True),
        Column("merchant_id", Uuid),
        Column("secret_hash", LargeBinary, nullable=False),
        Column("scopes", ARRAY(Text), nullable=False),
        Column("expires_at", DateTime(timezone=True)),
        Column("revoked_at", DateTime(timezone=True)),
        Column("version", BigInteger, nullable=False, server_default="0"),
        Column("suspended_at", DateTime(timezone=True)),
        # Networks it may be used from; none: anywhere.
        Column("allowed_ips", ARRAY(Text), nullable=False, server_default="{}"),
        # Of this service's own calls, to the minute.
        Column("last_used_at", DateTime(timezone=True)),
        # The first key of the line that this one goes on with; null: itself.
        Column("family", Text),
    )
    messaging_tables(metadata)


def backbone_metadata() -> MetaData:
    """The backbone alone, for `create_all` in a service's first migration."""
    metadata = new_metadata()
    backbone_tables(metadata)
    return metadata


class MigrationSteps(Protocol):
    """What Alembic's `op` offers here; the module itself fits."""

    def get_bind(self) -> Connection: ...


def create(op: MigrationSteps) -> None:
    """Creates the tables; called by the first migration of every service."""
    backbone_metadata().create_all(op.get_bind())


def extend(connection: Connection) -> None:
    """What the backbone got after a database was made; run with every migration, of any service.

    A new column of a backbone table goes here and into `backbone_tables`: one place instead of a
    migration in each service. Whatever is here may run any number of times.
    """
    connection.execute(text(_EXTEND))


_EXTEND = """
    ALTER TABLE IF EXISTS api_key
      ADD COLUMN IF NOT EXISTS suspended_at timestamptz,
      ADD COLUMN IF NOT EXISTS allowed_ips TEXT[] DEFAULT '{}' NOT NULL,
      ADD COLUMN IF NOT EXISTS last_used_at timestamptz,
      ADD COLUMN IF NOT EXISTS family TEXT
    """


def drop(op: MigrationSteps) -> None:
    """The way back of `create`."""
    backbone_metadata().drop_all(op.get_bind())
