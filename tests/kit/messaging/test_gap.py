"""Rows whose transactions commit out of order: the queue delivers all, a cursor would lose some."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
from aiokafka import ConsumerRecord
from google.protobuf.message import Message

from kit.db import Database
from kit.messaging import outbox
from kit.messaging.relay import Relay
from kit.messaging.sender import PendingEvent
from kit.messaging.settings import KafkaSettings
from kit.messaging.topics import ensure_topics, specs_of
from tests.kit.messaging.stage import (
    count,
    event_class,
    new_topic,
    read_topic,
    running,
    until,
    version_of,
)

ROWS = 20_000
WRITERS = 16
KEYS = 5_000
TRANSACTION_SECONDS_MAX = 0.05
ROLLBACK_SHARE = 0.05

OpenDb = Callable[..., Awaitable[Database]]


class _Undo(Exception):
    pass


class CursorRelay(Relay):
    """The naive design: remembers the last id it saw and never looks back."""

    last_id = 0

    async def _next(self, connection: asyncpg.Connection) -> list[PendingEvent]:
        events = [e for e in await super()._next(connection) if e.id > self.last_id]
        if events:
            self.last_id = max(event.id for event in events)
        return events


async def _write(db: Database, message_class: type[Message], rows: int, seed: int) -> int:
    """Transactions of up to 50 ms, some undone; returns how many events were committed."""
    chance = random.Random(seed)
    committed = 0
    while committed < rows:
        size = min(chance.randint(1, 40), rows - committed)
        try:
            async with db.transaction() as tx:
                for _ in range(size):
                    outbox.add(tx, message_class(), key=str(chance.randrange(KEYS)))
                await outbox.flush(tx)
                await tx.write()
                await asyncio.sleep(chance.random() * TRANSACTION_SECONDS_MAX)
                if chance.random() < ROLLBACK_SHARE:
                    raise _Undo  # noqa: TRY301 - only an error undoes a transaction
        except _Undo:
            continue
        committed += size
    return committed


async def _write_all(db: Database, message_class: type[Message]) -> int:
    rows = ROWS // WRITERS
    return sum(
        await asyncio.gather(*(_write(db, message_class, rows, seed) for seed in range(WRITERS)))
    )


async def test_the_relay_delivers_every_committed_row_in_order_per_key(
    open_db: OpenDb, database_url: str, kafka_settings: KafkaSettings
):
    db = await open_db(WRITERS)
    message_class = event_class(new_topic())
    specs = specs_of([message_class], kafka_settings)
    await ensure_topics(kafka_settings.bootstrap_servers, specs)

    async with running(Relay(database_url, kafka_settings, "test")):
        committed = await _write_all(db, message_class)
        await until(lambda: _is_empty(db), seconds=30)

    records = await read_topic(kafka_settings.bootstrap_servers, specs[0].name)
    assert committed == ROWS
    assert len(records) == await count(db, "event_log") == ROWS
    _assert_in_order(records)


async def test_a_naive_cursor_loses_rows_in_the_same_run(
    open_db: OpenDb, database_url: str, kafka_settings: KafkaSettings
):
    db = await open_db(WRITERS + 1)
    message_class = event_class(new_topic())
    specs = specs_of([message_class], kafka_settings)
    await ensure_topics(kafka_settings.bootstrap_servers, specs)

    relay = CursorRelay(database_url, kafka_settings, "test")

    async def has_read() -> bool:
        return relay.last_id > 0

    async with running(relay):
        # However the writers fall, this transaction commits after the cursor went past its row.
        async with db.transaction() as late:
            outbox.add(late, message_class(), key="late")
            await outbox.flush(late)
            await late.write()
            writing = asyncio.create_task(_write_all(db, message_class))
            await until(has_read, seconds=30)
        await writing
        await asyncio.sleep(1)

    records = await read_topic(kafka_settings.bootstrap_servers, specs[0].name)
    assert b"late" not in {record.key for record in records}
    assert await count(db, "outbox_pending") == ROWS + 1 - len(records) > 0


async def _is_empty(db: Database) -> bool:
    return await count(db, "outbox_pending") == 0


def _assert_in_order(records: Sequence[ConsumerRecord]) -> None:
    seen: Counter[bytes] = Counter()
    for record in records:
        seen[record.key] += 1
        assert version_of(record) == seen[record.key]
