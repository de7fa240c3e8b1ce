"""Outbox and inbox: the tables that make events exactly-once in effect. Every service has its own.

event_log is the immutable record of what this service published; outbox_pending is the queue of
what the broker has not confirmed yet. A row leaves the queue when it is confirmed: there is no
cursor that could step over a row whose transaction committed late.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

# A queue's rows live for milliseconds: vacuum by count, not by share of an empty table.
_QUEUE_STORAGE = {
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_threshold": 5000,
    "autovacuum_vacuum_insert_scale_factor": 0,
}
_COUNTER_STORAGE = {"fillfactor": 85}
EVENT_BYTES_MAX = 900_000


def messaging_tables(metadata: MetaData) -> None:
    """Adds the outbox's and the inbox's tables to a service's metadata."""
    _outbox_tables(metadata)
    _inbox_tables(metadata)


def _outbox_tables(metadata: MetaData) -> None:
    Table(
        "event_log",
        metadata,
        # CACHE 1: cached sequence values would break the order per key.
        Column("id", BigInteger, Identity(always=True, cache=1), primary_key=True),
        Column("event_id", Uuid, nullable=False),
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("type", Text, nullable=False),
        Column("merchant_id", Uuid),
        Column("traceparent", Text),
        Column("request_id", Text),
        Column("payload", LargeBinary, nullable=False),
        # The writer's transaction: readers with a cursor stay below the oldest running one.
        Column(
            "transaction_id",
            BigInteger,
            nullable=False,
            server_default=text("(pg_current_xact_id()::text)::bigint"),
        ),
        Column(
            "at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()
        ),
        CheckConstraint(f"octet_length(payload) <= {EVENT_BYTES_MAX}", name="payload_size"),
        CheckConstraint("version > 0", name="version_positive"),
    )
    Table(
        "outbox_key",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("last_version", BigInteger, nullable=False),
        Column("parked", Boolean, nullable=False, server_default=text("false")),
        postgresql_with=_COUNTER_STORAGE,
    )
    Table(
        "outbox_pending",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        postgresql_with=_QUEUE_STORAGE,
    )
    Table(
        "outbox_dead",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("cause", Text, nullable=False),
        Column(
            "at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()
        ),
    )


def _inbox_tables(metadata: MetaData) -> None:
    Table(
        "inbox",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("event_id", Uuid, primary_key=True),
        Column(
            "at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()
        ),
    )
    inbox_key = Table(
        "inbox_key",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("topic", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("last_version", BigInteger, nullable=False),
        Column("parked", Boolean, nullable=False, server_default=text("false")),
        Column("held", Boolean, nullable=False, server_default=text("false")),
        postgresql_with=_COUNTER_STORAGE,
    )
    Index(
        "ix_inbox_key_held",
        inbox_key.c.consumer,
        inbox_key.c.topic,
        inbox_key.c.key,
        postgresql_where=text("held AND NOT parked"),
    )
    _dead_letter_table(metadata)


def _dead_letter_table(metadata: MetaData) -> None:
    dead_letter = Table(
        "dead_letter",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("event_id", Uuid, primary_key=True),
        Column("topic", Text, nullable=False),
        Column("log_partition", Integer, nullable=False),
        Column("log_offset", BigInteger, nullable=False),
        Column("key", Text),
        Column("version", BigInteger),
        Column("type", Text),
        Column("cause", Text, nullable=False),
        Column("error", Text, nullable=False),
        Column("tries", Integer, nullable=False),
        # The record as it came, so that a later release can read what this one could not.
        Column("record_key", LargeBinary),
        Column("headers", JSONB, nullable=False),
        Column("payload", LargeBinary),
        Column(
            "at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()
        ),
        Column("resolved_at", DateTime(timezone=True)),
        CheckConstraint(
            "cause IN ('failed', 'undecodable', 'parked', 'gap', 'stale')", name="cause_known"
        ),
    )
    Index(
        "ix_dead_letter_open",
        dead_letter.c.consumer,
        dead_letter.c.topic,
        dead_letter.c.key,
        dead_letter.c.version,
        postgresql_where=text("resolved_at IS NULL"),
    )
