"""A fact and its event live and die together."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy import text

from kit.db import Database, Transaction
from kit.messaging import outbox
from kit.messaging.relay import Relay
from kit.messaging.republish import revive_outbox
from kit.messaging.settings import KafkaSettings
from kit.messaging.topics import TopicSpec, ensure_topics
from lockstock.common.v1.money_pb2 import Money
from tests.kit.messaging.stage import (
    count,
    new_topic,
    publish,
    read_topic,
    running,
    until,
    version_of,
)
from tests.stack.statements import noted_statements


async def _numbers(db: Database) -> list[tuple[str, int]]:
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT key, version FROM event_log ORDER BY id"))
        return [(row.key, row.version) for row in rows]


async def test_a_rolled_back_transaction_publishes_nothing(db: Database, counted):
    async def fail() -> None:
        async with db.transaction() as tx:
            outbox.add(tx, counted(), key="a")
            await outbox.flush(tx)
            await tx.write()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    await publish(db, counted(), key="a")

    assert await _numbers(db) == [("a", 1)]


async def test_a_rolled_back_savepoint_takes_its_events_along(db: Database, counted):
    async def fail(tx: Transaction) -> None:
        async with tx.savepoint():
            outbox.add(tx, counted(number=2), key="a")
            raise RuntimeError

    async with db.transaction() as tx:
        outbox.add(tx, counted(number=1), key="a")
        with pytest.raises(RuntimeError):
            await fail(tx)
        kept = outbox.events_of(tx)

    assert kept == [counted(number=1)]
    assert await _numbers(db) == [("a", 1)]


async def test_a_transaction_with_many_events_costs_one_statement(db: Database, counted):
    with noted_statements() as statements:
        async with db.transaction() as tx:
            for n in range(50):
                outbox.add(tx, counted(number=n), key=f"k{n % 7}")

    assert len(statements) == 1
    assert await count(db, "outbox_pending") == 50


async def test_ids_and_versions_of_a_key_have_the_order_of_the_calls(db: Database, counted):
    async with db.transaction() as tx:
        for key in ("b", "a", "b", "b", "a"):
            outbox.add(tx, counted(), key=key)
    await publish(db, counted(), key="b")

    assert await _numbers(db) == [("b", 1), ("a", 1), ("b", 2), ("b", 3), ("a", 2), ("b", 4)]


async def test_writers_with_the_same_keys_in_any_order_do_not_deadlock(db: Database, counted):
    async def write(keys: list[str]) -> None:
        for _ in range(20):
            async with db.transaction() as tx:
                for key in keys:
                    outbox.add(tx, counted(), key=key)

    await asyncio.gather(*(write(list(keys)) for keys in ("abcd", "dcba", "bdac", "cadb")))

    assert sorted(await _numbers(db)) == sorted(
        (key, version) for key in "abcd" for version in range(1, 81)
    )


async def test_the_message_is_read_when_it_is_added(db: Database, counted):
    message = counted(number=1)
    async with db.transaction() as tx:
        outbox.add(tx, message, key="a")
        message.number = 2

    async with db.read() as tx:
        payload = (await tx.execute(text("SELECT payload FROM event_log"))).scalar_one()
    assert counted.FromString(payload).number == 1


@pytest.mark.parametrize("key", ["", "k" * 201, "a\0b"])
async def test_an_unusable_key_is_a_bug_of_the_caller(db: Database, counted, key: str):
    async with db.transaction() as tx:
        with pytest.raises(ValueError, match="key"):
            outbox.add(tx, counted(), key=key)


async def test_what_is_no_event_or_too_large_is_a_bug_of_the_caller(db: Database, counted):
    async with db.transaction() as tx:
        with pytest.raises(ValueError, match="names no topic"):
            outbox.add(tx, Money(), key="a")
        with pytest.raises(ValueError, match="split the event"):
            outbox.add(tx, counted(note="x" * 900_000), key="a")


async def test_a_record_carries_its_cloudevents_attributes(
    db: Database, database_url: str, kafka_settings: KafkaSettings, topic: str, counted
):
    merchant = "01a20000-0000-7000-8000-000000000001"
    async with db.transaction() as tx:
        outbox.add(tx, counted(number=5), key="a", merchant_id=merchant)
    async with running(Relay(database_url, kafka_settings, "order")):
        await until(lambda: _sent(db))

    [record] = await read_topic(kafka_settings.bootstrap_servers, topic)
    headers = {name: value.decode() for name, value in record.headers}
    assert record.key == b"a"
    assert counted.FromString(record.value).number == 5
    assert headers["ce_type"] == counted.DESCRIPTOR.full_name
    assert headers["ce_source"] == "lockstock/order"
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_merchantid"] == merchant
    assert headers["ce_aggversion"] == "1"


async def test_what_the_broker_refuses_for_itself_parks_its_key_and_comes_back_in_order(
    db: Database, database_url: str, kafka_settings: KafkaSettings, topic: str, counted
):
    await _make_narrow_topic(kafka_settings, topic, bytes_max=3_000)
    async with running(Relay(database_url, kafka_settings, "test")):
        await publish(db, counted(), counted(note="x" * 10_000), counted(), key="big")
        for n in range(10):
            await publish(db, counted(), key=f"small-{n}")
        await until(lambda: _sent(db))
        await publish(db, counted(), key="big")
        before = await read_topic(kafka_settings.bootstrap_servers, topic)
        dead = await count(db, "outbox_dead")

        await _widen_topic(kafka_settings, topic, bytes_max=1_000_000)
        assert await revive_outbox(db) == 3
        await publish(db, counted(), key="big")
        await until(lambda: _sent(db))
    after = await read_topic(kafka_settings.bootstrap_servers, topic)

    assert len(before) == 11
    assert dead == 3
    assert [version_of(r) for r in after if r.key == b"big"] == [1, 2, 3, 4, 5]
    assert await count(db, "outbox_dead") == 0


async def test_a_topic_that_is_missing_is_made(
    db: Database, database_url: str, kafka_settings: KafkaSettings, topic: str, counted
):
    await publish(db, counted(), key="a")
    async with running(Relay(database_url, kafka_settings, "test")):
        await until(lambda: _sent(db))

    assert len(await read_topic(kafka_settings.bootstrap_servers, topic)) == 1


async def test_a_follower_passes_wake_ups_on_to_the_leader(
    db: Database, database_url: str, kafka_settings: KafkaSettings, counted
):
    lazy = kafka_settings.model_copy(update={"relay_poll_seconds": 5.0})
    leader, follower = (Relay(database_url, lazy, "test") for _ in range(2))
    await publish(db, counted(), key="a")
    async with running(leader):
        await until(lambda: _sent(db))
        async with running(follower):
            await asyncio.sleep(0.5)
            await publish(db, counted(), key="a")
            follower.wake()
            await until(lambda: _sent(db), seconds=2.0)
            assert leader.leads
            assert not follower.leads


async def test_a_lost_database_connection_costs_no_event(
    db: Database, database_url: str, kafka_settings: KafkaSettings, topic: str, counted
):
    async with running(Relay(database_url, kafka_settings, "cut-off")):
        for n in range(30):
            await publish(db, counted(number=n), key=str(n % 3))
            if n % 10 == 5:
                await _cut_off(db, "cut-off-relay")
        await until(lambda: _sent(db))

    records = await read_topic(kafka_settings.bootstrap_servers, topic)
    assert {(r.key, version_of(r)) for r in records} == {
        (str(k).encode(), v) for k in range(3) for v in range(1, 11)
    }


async def test_topics_are_made_once_whoever_comes_first(kafka_settings: KafkaSettings):
    spec = TopicSpec(new_topic())

    await asyncio.gather(
        *(ensure_topics(kafka_settings.bootstrap_servers, [spec]) for _ in range(4))
    )

    assert await read_topic(kafka_settings.bootstrap_servers, spec.name) == []


async def _sent(db: Database) -> bool:
    return await count(db, "outbox_pending") == 0


async def _cut_off(db: Database, application: str) -> None:
    async with db.read() as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = :name AND datname = current_database()"
            ),
            {"name": application},
        )


async def _make_narrow_topic(kafka: KafkaSettings, topic: str, *, bytes_max: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    limit = {"max.message.bytes": str(bytes_max)}
    await admin.create_topics([NewTopic(topic, 6, 1, topic_configs=limit)])
    await admin.close()


async def _widen_topic(kafka: KafkaSettings, topic: str, *, bytes_max: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    limit = {"max.message.bytes": str(bytes_max)}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, limit)])
    await admin.close()
