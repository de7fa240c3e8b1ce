"""What was put aside: listed, run again, and released when a missing event has arrived.

Letters of a key run in version order, and the key is open again when none is left. Each step is one
transaction: effects, inbox and letters agree at any moment.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Database, Transaction
from kit.db_errors import kind_is_transient
from kit.logging import get_logger
from kit.messaging.envelope import headers_from_json
from kit.messaging.handlers import HandlerSet, error_text
from kit.messaging.inbox import Inbox
from kit.messaging.plan import Key, Received

LETTERS_PER_STEP_MAX = 200
LIST_MAX = 1_000
RELEASE_KEYS_MAX = 100

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was put aside, as an operator sees it."""

    consumer: str
    event_id: UUID
    topic: str
    partition: int
    offset: int
    key: str | None
    version: int | None
    type: str | None
    cause: str
    error: str
    tries: int
    at: datetime


@dataclass(slots=True)
class Replayed:
    """The outcome of a replay; `left` letters still wait, because `error`."""

    applied: int = 0
    left: int = 0
    error: str | None = None


async def list_letters(
    tx: Transaction,
    consumer: str,
    *,
    key: str | None = None,
    event_id: UUID | None = None,
    limit: int = 100,
) -> list[DeadLetter]:
    """Open letters, oldest first."""
    rows = await tx.execute(
        _LIST,
        {
            "consumer": consumer,
            "key": key,
            "event_id": event_id,
            "limit": min(limit, LIST_MAX),
        },
    )
    return [
        DeadLetter(
            row.consumer,
            row.event_id,
            row.topic,
            row.log_partition,
            row.log_offset,
            row.key,
            row.version,
            row.type,
            row.cause,
            row.error,
            row.tries,
            row.at,
        )
        for row in rows
    ]


async def release_ready(db: Database, inbox: Inbox, handlers: HandlerSet) -> int:
    """Applies held events that are next now; returns how many."""
    async with db.read() as tx:
        keys = await inbox.list_ready(tx, RELEASE_KEYS_MAX)
    released = 0
    for key in keys:
        released += (await replay_key(db, inbox.consumer, handlers, key)).applied
    return released


async def replay_key(
    db: Database,
    consumer: str,
    handlers: HandlerSet,
    key: Key,
    *,
    skip_gap: bool = False,
) -> Replayed:
    """Runs a key's letters in version order as far as they go, and opens the key if none is left.

    A failure ends it: the letter at fault gets the new error, the key stays parked. `skip_gap` is
    an operator's word that missing versions will never come. Raises Unavailable for passing
    troubles.
    """
    result = Replayed()
    size = LETTERS_PER_STEP_MAX
    while True:
        try:
            step = await _step(db, consumer, handlers, key, size, skip_gap=skip_gap)
        except Exception as error:
            if kind_is_transient(error) or isinstance(error, TimeoutError):
                raise
            if size > 1:
                # Find the one at fault: those before it shall go through.
                size = 1
                continue
            result.error = error_text(error)
            result.left = await _mark_failed(db, consumer, key, result.error)
            return result
        result.applied += step.applied
        result.left = step.left
        if step.left == 0 or step.applied == 0:
            return result


async def _step(
    db: Database, consumer: str, handlers: HandlerSet, key: Key, size: int, *, skip_gap: bool
) -> Replayed:
    """One transaction: the next letters of a key that have no gap between them."""
    place = {"consumer": consumer, "topic": key[0], "key": key[1]}
    async with db.transaction() as tx:
        state = (await tx.execute(_LOCK_KEY, place)).one_or_none()
        last_version = state.last_version if state else 0
        rows = (await tx.execute(_OPEN_OF_KEY, {**place, "limit": size})).all()
        records = [_record(handlers, row) for row in rows]
        superseded = [r.id for r in records if r.is_snapshot and _version(r) <= last_version]
        chosen = _next_in_order(records, last_version, skip_gap=skip_gap)
        await handlers.run(tx, [record for record in chosen if record.message is not None])
        if chosen:
            last_version = _version(chosen[-1])
        done = superseded + [record.id for record in chosen]
        left = await _close_letters(tx, place, done, last_version)
    return Replayed(applied=len(done), left=left)


def _next_in_order(
    records: Sequence[Received], last_version: int, *, skip_gap: bool
) -> list[Received]:
    """The letters that may run together now: up to the next gap, or the next unreadable one."""
    chosen: list[Received] = []
    for record in records:
        version = _version(record)
        if record.is_snapshot and version <= last_version:
            continue
        may_jump = record.is_snapshot or (skip_gap and not chosen)
        if version != last_version + 1 and not may_jump:
            break
        if record.problem is not None:
            if chosen:
                break
            raise ValueError(record.problem)
        chosen.append(record)
        last_version = version
    return chosen


def _version(record: Received) -> int:
    return record.attributes.version


async def _close_letters(
    tx: Transaction, place: dict[str, Any], ids: Sequence[UUID], last_version: int
) -> int:
    await tx.execute(_RESOLVE, {"consumer": place["consumer"], "ids": list(ids)})
    left = (await tx.execute(_COUNT_OPEN, place)).one()
    await tx.execute(
        _SET_KEY,
        {
            **place,
            "last_version": last_version,
            "parked": left.next_version == last_version + 1,
            "held": left.letters > 0,
        },
    )
    return int(left.letters)


async def _mark_failed(db: Database, consumer: str, key: Key, error: str) -> int:
    place = {"consumer": consumer, "topic": key[0], "key": key[1]}
    async with db.transaction() as tx:
        await tx.execute(_LOCK_KEY, place)
        await tx.execute(_FAIL_FIRST, {**place, "error": error})
        await tx.execute(_PARK, place)
        return int((await tx.execute(_COUNT_OPEN, place)).one().letters)


async def replay_event(
    db: Database, consumer: str, handlers: HandlerSet, event_id: UUID
) -> Replayed:
    """Runs one letter again: with its key's others if it has a place among them, else by itself.

    By itself go stale events (an operator's word that it must be applied although later ones were)
    and records without a readable envelope.
    """
    async with db.read() as tx:
        row = (
            await tx.execute(_OPEN_ONE, {"consumer": consumer, "event_id": event_id})
        ).one_or_none()
    if row is None:
        return Replayed(error="no open letter has this event id")
    if row.key is not None and row.cause != "stale":
        return await replay_key(db, consumer, handlers, (row.topic, row.key))
    record = _record(handlers, row)
    if record.message is None:
        return Replayed(left=1, error=record.problem or "nobody handles this type")
    try:
        async with db.transaction() as tx:
            await handlers.run(tx, [record])
            await tx.execute(_RESOLVE, {"consumer": consumer, "ids": [event_id]})
    except Exception as error:
        if kind_is_transient(error):
            raise
        return Replayed(left=1, error=error_text(error))
    return Replayed(applied=1)


async def dismiss_event(
    db: Database, consumer: str, handlers: HandlerSet, event_id: UUID
) -> Replayed:
    """Closes a letter without applying it, and goes on with those behind it: an operator's
    decision.
    """
    async with db.transaction() as tx:
        row = (
            await tx.execute(_OPEN_ONE, {"consumer": consumer, "event_id": event_id})
        ).one_or_none()
        if row is None:
            return Replayed(error="no open letter has this event id")
        await tx.execute(_RESOLVE, {"consumer": consumer, "ids": [event_id]})
        if row.key is None or row.cause == "stale":
            return Replayed()
        place = {"consumer": consumer, "topic": row.topic, "key": row.key}
        await tx.execute(_LOCK_KEY, place)
        await tx.execute(_SKIP_VERSION, {**place, "version": row.version})
    return await replay_key(db, consumer, handlers, (row.topic, row.key))


def _record(handlers: HandlerSet, row: Any) -> Received:
    """The letter's record, read again by the present code."""
    headers = json.loads(row.headers) if isinstance(row.headers, str) else row.headers
    return handlers.read(
        row.topic,
        row.log_partition,
        row.log_offset,
        row.record_key,
        headers_from_json(headers),
        row.payload,
    )


_COLUMNS = (
    "consumer, event_id, topic, log_partition, log_offset, key, version, type, cause, error, "
    "tries, at, record_key, headers, payload"
)
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM dead_letter
    WHERE consumer = :consumer AND resolved_at IS NULL
      AND (CAST(:key AS text) IS NULL OR key = :key)
      AND (CAST(:event_id AS uuid) IS NULL OR event_id = :event_id)
    ORDER BY at, event_id LIMIT :limit
    """  # noqa: S608 - column names only
)
_OPEN_ONE = text(
    f"SELECT {_COLUMNS} FROM dead_letter "  # noqa: S608 - column names only
    "WHERE consumer = :consumer AND event_id = :event_id AND resolved_at IS NULL"
)
_OPEN_OF_KEY = text(
    f"""
    SELECT {_COLUMNS} FROM dead_letter
    WHERE consumer = :consumer AND topic = :topic AND key = :key
      AND resolved_at IS NULL AND cause <> 'stale'
    ORDER BY version LIMIT :limit
    """  # noqa: S608 - column names only
)
_LOCK_KEY = text(
    "SELECT last_version FROM inbox_key "
    "WHERE consumer = :consumer AND topic = :topic AND key = :key FOR NO KEY UPDATE"
)
_RESOLVE = text(
    "UPDATE dead_letter SET resolved_at = clock_timestamp() "
    "WHERE consumer = :consumer AND event_id = ANY(CAST(:ids AS uuid[]))"
)
_COUNT_OPEN = text(
    "SELECT count(*) AS letters, min(version) AS next_version FROM dead_letter "
    "WHERE consumer = :consumer AND topic = :topic AND key = :key "
    "AND resolved_at IS NULL AND cause <> 'stale'"
)
_SET_KEY = text(
    "UPDATE inbox_key SET last_version = greatest(last_version, :last_version), "
    "parked = :parked, held = :held "
    "WHERE consumer = :consumer AND topic = :topic AND key = :key"
)
_PARK = text(
    "UPDATE inbox_key SET parked = true "
    "WHERE consumer = :consumer AND topic = :topic AND key = :key"
)
_FAIL_FIRST = text(
    """
    UPDATE dead_letter SET cause = 'failed', error = :error, tries = tries + 1
    WHERE consumer = :consumer AND event_id = (
      SELECT event_id FROM dead_letter
      WHERE consumer = :consumer AND topic = :topic AND key = :key
        AND resolved_at IS NULL AND cause <> 'stale'
      ORDER BY version LIMIT 1
    )
    """
)
_SKIP_VERSION = text(
    "UPDATE inbox_key SET last_version = :version "
    "WHERE consumer = :consumer AND topic = :topic AND key = :key AND last_version = :version - 1"
)
