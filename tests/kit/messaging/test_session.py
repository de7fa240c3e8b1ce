"""What waits for company, and what becomes of it when its partition goes."""

import asyncio
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from kit.db import Database
from kit.ids import new_id
from kit.messaging.consumer import handles
from kit.messaging.envelope import Envelope, to_headers
from kit.messaging.events import type_of
from kit.messaging.handlers import HandlerSet
from kit.messaging.inbox import Inbox
from kit.messaging.progress import Progress
from kit.messaging.session import NEVER, Session
from kit.messaging.settings import KafkaSettings
from kit.messaging.worker import Worker
from tests.kit.messaging.stage import event_class, record_effects

TOPIC = "lockstock.test.session"
PARTITION = TopicPartition(TOPIC, 0)
PATIENCE_SECONDS = 600
Patient = event_class(TOPIC, "Patient", patience_ms=PATIENCE_SECONDS * 1_000)
Urgent = event_class(TOPIC, "Urgent")


async def _nothing_to_release() -> None:
    """No event is held back here."""


def _record() -> ConsumerRecord:
    envelope = Envelope(
        new_id(), type_of(Patient), TOPIC, "a", 1, datetime.now(UTC), None, None, None
    )
    headers, value = to_headers(envelope, source="test"), Patient(number=1).SerializeToString()
    return ConsumerRecord(
        TOPIC, 0, 0, 0, 0, b"a", value, None, 1, len(value), tuple(headers)
    )  # fmt: skip


async def test_nobody_looks_for_what_went_with_its_partition(db: Database):
    handlers = HandlerSet([handles(Patient, record_effects), handles(Urgent, record_effects)])
    kafka = KafkaSettings(bootstrap_servers="unused")
    worker = Worker(db, Inbox("test"), handlers, kafka, Progress())
    client = AIOKafkaConsumer(bootstrap_servers="unused:9092")
    async with asyncio.TaskGroup() as tasks:
        session = Session(client, worker, handlers, _nothing_to_release, tasks)
        assert await session.take({PARTITION: [_record()]}) == 0
        assert 0 < session.patience <= PATIENCE_SECONDS

        await session.on_partitions_revoked([PARTITION])
        await session.take({})

        assert session.patience == NEVER
        await session.close()
    await client.stop()
