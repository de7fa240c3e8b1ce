"""The embedded Kafka as its clients see it, before and after a kill."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from onebox.errors import ProgramMissing
from onebox.kafka import EmbeddedKafka
from onebox.processes import is_alive


async def make_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, 6, 1)])
    finally:
        await admin.close()
    assert [error[1] for error in answer.topic_errors] == [0]


async def send(bootstrap: str, topic: str, values: range) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, compression_type="zstd"
    )
    await producer.start()
    try:
        sent = [await producer.send(topic, b"%d" % value, key=b"%d" % value) for value in values]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def read(bootstrap: str, topic: str, group: str, count: int) -> list[int]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    found: list[int] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [int(record.value) for record in records]
                await consumer.commit()
    finally:
        await consumer.stop()
    return sorted(found)


async def test_acknowledged_records_and_offsets_survive_a_kill(broker: EmbeddedKafka) -> None:
    await make_topic(broker.bootstrap, "kept")
    await send(broker.bootstrap, "kept", range(500))
    assert await read(broker.bootstrap, "kept", "reader", 500) == list(range(500))
    await send(broker.bootstrap, "kept", range(500, 600))
    await broker.kill()
    await broker.start()
    assert await read(broker.bootstrap, "kept", "reader", 100) == list(range(500, 600))
    assert await read(broker.bootstrap, "kept", "newcomer", 600) == list(range(600))


async def test_topics_are_never_made_by_accident(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.describe_topics(["misspelt"])
        assert "misspelt" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_a_second_start_ends_the_orphan_of_a_killed_run(broker: EmbeddedKafka) -> None:
    orphan = broker.child
    assert orphan is not None
    successor = EmbeddedKafka(broker.data_dir, broker.port, broker._controller_port)
    await successor.start()
    try:
        assert not is_alive(orphan.pid)
        assert successor.child is not None
        assert is_alive(successor.child.pid)
    finally:
        await successor.stop()


async def test_a_missing_java_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ProgramMissing, match=r"java is missing; install it with: apt-get"):
        await EmbeddedKafka(folder / "kafka", 1, 2).start()
