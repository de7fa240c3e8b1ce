"""A fact is published by writing it down in the transaction that makes it true, and only so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import text

from kit.context import request_id_var, traceparent_var
from kit.db import Transaction
from kit.ids import new_id
from kit.messaging.envelope import KEY_CHARACTERS_MAX, is_key
from kit.messaging.events import cause_of, topic_of, type_of
from kit.messaging.tables import EVENT_BYTES_MAX


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event that waits in `tx.outgoing` for the commit."""

    event_id: UUID
    topic: str
    key: str
    type: str
    merchant_id: UUID | None
    traceparent: str | None
    request_id: str | None
    payload: bytes
    message: Message


def add(
    tx: Transaction,
    message: Message,
    *,
    key: UUID | str,
    merchant_id: UUID | str | None = None,
) -> None:
    """Publishes `message` if and when `tx` commits, in order with the other events of its key.

    The message is read now; later changes to it are not seen. Raises ValueError for a message
    without a topic, an unusable key, or an event over 900,000 bytes.
    """
    key_text = str(key)
    if not is_key(key_text):
        raise ValueError(f"an event key has 1 to {KEY_CHARACTERS_MAX} characters and no NUL")
    payload = message.SerializeToString()
    if len(payload) > EVENT_BYTES_MAX:
        raise ValueError(f"{type_of(type(message))} has {len(payload)} bytes; split the event")
    cause = cause_of(key_text)
    tx.outgoing.append(
        OutgoingEvent(
            event_id=new_id(),
            topic=topic_of(type(message)),
            key=key_text,
            type=type_of(type(message)),
            merchant_id=UUID(str(merchant_id)) if merchant_id else None,
            traceparent=cause.traceparent if cause else traceparent_var.get(),
            request_id=cause.request_id if cause else request_id_var.get(),
            payload=payload,
            message=message,
        )
    )


def events_of(tx: Transaction) -> list[Message]:
    """What `tx` will publish, in order. For tests."""
    return [event.message for event in tx.outgoing]


async def flush(tx: Transaction) -> None:
    """Writes the buffered events: one statement, whatever their number, together with what else was
    left for the end. Runs just before the commit.

    The upsert of outbox_key draws the version and makes writers of one key wait for each other
    until their commits, so that ids, versions and commits of a key have the same order.
    """
    if not tx.outgoing:
        return
    tx.later(_WRITE, _columns(tx.outgoing))
    tx.outgoing.clear()


def _columns(events: Sequence[OutgoingEvent]) -> dict[str, list[Any]]:
    return {
        "event_ids": [event.event_id for event in events],
        "topics": [event.topic for event in events],
        "keys": [event.key for event in events],
        "types": [event.type for event in events],
        "merchant_ids": [event.merchant_id for event in events],
        "traceparents": [event.traceparent for event in events],
        "request_ids": [event.request_id for event in events],
        "payloads": [event.payload for event in events],
    }


# Keys are locked in sorted order, so two transactions with several keys cannot deadlock here.
_WRITE = text(
    """
    WITH outgoing AS (
      SELECT * FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:topics AS text[]), CAST(:keys AS text[]),
        CAST(:types AS text[]), CAST(:merchant_ids AS uuid[]), CAST(:traceparents AS text[]),
        CAST(:request_ids AS text[]), CAST(:payloads AS bytea[])
      ) WITH ORDINALITY
        AS o(event_id, topic, key, type, merchant_id, traceparent, request_id, payload, place)
    ), counted AS (
      INSERT INTO outbox_key AS k (topic, key, last_version)
      SELECT topic, key, count(*) FROM outgoing GROUP BY topic, key ORDER BY topic, key
      ON CONFLICT (topic, key) DO UPDATE SET last_version = k.last_version + excluded.last_version
      RETURNING k.topic, k.key, k.last_version, k.parked
    ), logged AS (
      INSERT INTO event_log
        (event_id, topic, key, version, type, merchant_id, traceparent, request_id, payload)
      SELECT o.event_id, o.topic, o.key,
        c.last_version + 1 - row_number() OVER (PARTITION BY o.topic, o.key ORDER BY o.place DESC),
        o.type, o.merchant_id, o.traceparent, o.request_id, o.payload
      FROM outgoing o JOIN counted c ON c.topic = o.topic AND c.key = o.key
      ORDER BY o.place
      RETURNING id, topic, key
    ), placed AS (
      SELECT l.id, c.parked
      FROM logged l JOIN counted c ON c.topic = l.topic AND c.key = l.key
    ), queued AS (
      INSERT INTO outbox_pending (id) SELECT id FROM placed WHERE NOT parked
    )
    INSERT INTO outbox_dead (id, cause) SELECT id, 'the key is parked' FROM placed WHERE parked
    """
)
