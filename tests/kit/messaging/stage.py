"""What the messaging tests work with: event classes on topics of their own, an effect table."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from sqlalchemy import text

from kit.db import Database, Transaction
from kit.ids import new_id
from kit.messaging import outbox
from kit.messaging.events import Event
from kit.messaging.settings import KafkaSettings
from lockstock.common.v1 import options_pb2

PARTITIONS = KafkaSettings(bootstrap_servers="unused").partitions


def event_class(
    topic: str, name: str = "Counted", *, snapshot: bool = False, patience_ms: int = 0
) -> type[Message]:
    """An event class with fields `number` and `note`, on a topic that no other test uses."""
    package = f"lockstock.test.{''.join(c if c.isalnum() else '_' for c in topic)}"
    pool = descriptor_pool.Default()
    with suppress(KeyError):
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.{name}.proto", package=package, syntax="proto3"
    )
    message = file.message_type.add(name=name)
    field = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="number", number=1, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    message.field.add(name="note", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    extensions: Any = message.options.Extensions
    extensions[options_pb2.topic] = topic
    extensions[options_pb2.snapshot] = snapshot
    extensions[options_pb2.patience_ms] = patience_ms
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))


def new_topic() -> str:
    return f"lockstock.test.{new_id().hex}"


async def publish(db: Database, *messages: Message, key: str) -> None:
    """One transaction that publishes these events of one key."""
    async with db.transaction() as tx:
        for message in messages:
            outbox.add(tx, message, key=key)


async def record_effects(tx: Transaction, events: Sequence[Event[Any]]) -> None:
    """A handler: one row per event, numbered in the order of the effects."""
    await tx.execute(
        text(
            "INSERT INTO effect (key, version, number) SELECT * FROM unnest("
            "CAST(:keys AS text[]), CAST(:versions AS bigint[]), CAST(:numbers AS bigint[]))"
        ),
        {
            "keys": [event.key for event in events],
            "versions": [event.version for event in events],
            "numbers": [event.message.number for event in events],
        },
    )


async def effects(db: Database) -> list[tuple[str, int]]:
    """(key, version) of every effect, in order."""
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT key, version FROM effect ORDER BY place"))
        return [(row.key, row.version) for row in rows]


async def versions_of(db: Database, key: str) -> list[int]:
    return [version for k, version in await effects(db) if k == key]


async def count(db: Database, table: str, where: str = "true") -> int:
    async with db.read() as tx:
        statement = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608 - from tests only
        return int((await tx.execute(text(statement))).scalar_one())


async def until(
    check: Callable[[], Awaitable[Any]], *, seconds: float = 40.0, pause: float = 0.05
) -> Any:
    """Waits for a true answer; fails with the last one."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {answer!r}"
        await asyncio.sleep(pause)


@asynccontextmanager
async def running(*loops: Any) -> AsyncIterator[None]:
    """Relays and consumers, for the length of the block."""
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    try:
        yield
    finally:
        for loop, task in zip(loops, tasks, strict=True):
            if not task.done():
                async with asyncio.timeout(20):
                    await loop.stop()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result


async def read_topic(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """Everything in a topic now, partition by partition, in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, n) for n in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[ConsumerRecord] = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records.extend(batch)
        return sorted(records, key=lambda r: (r.partition, r.offset))
    finally:
        await consumer.stop()


async def send_again(bootstrap: str, records: Sequence[ConsumerRecord]) -> None:
    """The same records once more, as a relay does whose delete was lost."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for record in records:
            await producer.send_and_wait(
                record.topic,
                record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
            )


def version_of(record: ConsumerRecord) -> int:
    return int(dict(record.headers)["ce_aggversion"])


async def publish_each(db: Database, message_class: type, key: str, number: int) -> None:
    for n in range(number):
        await publish(db, message_class(number=n), key=key)
