"""What no try/except can help with: processes that stop, die or hang, and a broker that dies."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from google.protobuf.message import Message

from kit.db import Database
from kit.messaging.consumer import Consumer, handles
from kit.messaging.metrics import DUPLICATES
from kit.messaging.relay import LOCK_CLASS, Relay
from kit.messaging.settings import KafkaSettings
from onebox.kafka import EmbeddedKafka
from onebox.ports import free_ports
from tests.kit.messaging.stage import (
    count,
    effects,
    publish,
    read_topic,
    record_effects,
    running,
    until,
    versions_of,
)
from tests.stack.nursery import Forked, nursery_of

EXIT_STALLED = 70
CHILD = "tests.kit.messaging.child"
NURSERY = ("kit.messaging.consumer", "kit.messaging.relay", "tests.kit.messaging.stage")
Start = Callable[..., Forked]

pytestmark = pytest.mark.chaos


@pytest.fixture
async def child(
    database_url: str, kafka_settings: KafkaSettings, topic: str, log: Path
) -> AsyncIterator[Start]:
    """`child("relay")`: a real process, killed at the end whatever its state."""
    children: list[Forked] = []

    def start(what: str, kafka: KafkaSettings = kafka_settings, **options: object) -> Forked:
        extra = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        arguments = (
            f"--database={database_url}",
            f"--kafka={kafka.model_dump_json()}",
            f"--topic={topic}",
            *extra,
        )
        nursery = nursery_of(*NURSERY)
        children.append(nursery.fork(CHILD, what, *arguments, env=os.environ, log=log))
        return children[-1]

    yield start
    for process in children:
        await process.kill()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the child writes."""
    return tmp_path / "child.log"


@pytest.mark.parametrize("stop_at", ["sending", "settling"])
async def test_a_stopped_leader_loses_the_lead_and_its_open_batch_does_no_harm(
    db: Database,
    database_url: str,
    kafka_settings: KafkaSettings,
    child: Start,
    topic: str,
    counted: type[Message],
    stop_at: str,
):
    quick = {"leader_idle_seconds": 2.0, "leader_check_seconds": 0.2}
    kafka = kafka_settings.model_copy(update=quick)
    zombie = child("relay", kafka, stop_at=stop_at)
    consumer = Consumer(db, kafka, f"group-{topic[-8:]}", [handles(counted, record_effects)])
    successor = Relay(database_url, kafka, "test")
    await until(lambda: _is_led(db))
    async with running(consumer):
        writing = asyncio.create_task(_keep_publishing(db, counted, keys=5, rounds=60))
        await until(lambda: _is_stopped(zombie.pid))
        async with running(successor):
            await writing
            await until(lambda: _drained(db))
            os.kill(zombie.pid, signal.SIGCONT)
            await asyncio.sleep(1.0)
            await _publish_round(db, counted, keys=5)
            await until(lambda: _has_effects(db, 5 * 61))

    records = await read_topic(kafka.bootstrap_servers, topic)
    assert len(records) > await count(db, "event_log") == 5 * 61, "the open batch came twice"
    for key in range(5):
        assert await versions_of(db, str(key)) == list(range(1, 62))
    assert await count(db, "dead_letter") == 0


async def _is_led(db: Database) -> bool:
    """Somebody holds the relay's lock in this database."""
    here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    where = f"locktype = 'advisory' AND classid = {LOCK_CLASS} AND database = {here}"
    return await count(db, "pg_locks", where) > 0


async def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_a_crash_between_commit_and_offset_has_each_effect_once(
    db: Database,
    database_url: str,
    kafka_settings: KafkaSettings,
    child: Start,
    topic: str,
    counted: type[Message],
):
    group = f"group-{topic[-8:]}"
    async with running(Relay(database_url, kafka_settings, "test")):
        for number in range(60):
            await publish(db, counted(number=number), key=str(number % 3))
        await until(lambda: _drained(db))
        dying = child("crashing", group=group)
        assert await asyncio.wait_for(dying.ended(), 30) == 9
        done_before = await count(db, "effect")

        async with running(Consumer(db, kafka_settings, group, [handles(counted, record_effects)])):
            await until(lambda: _has_effects(db, 60))
            await publish(db, counted(number=60), key="0")
            await until(lambda: _has_effects(db, 61))

    assert done_before > 0
    assert DUPLICATES.labels(group)._value.get() >= done_before
    assert Counter(await effects(db)).most_common(1)[0][1] == 1
    assert await versions_of(db, "0") == list(range(1, 22))


async def test_a_stopped_consumer_with_an_open_batch_does_nothing_twice_when_it_returns(
    db: Database,
    database_url: str,
    kafka_settings: KafkaSettings,
    child: Start,
    topic: str,
    counted: type[Message],
):
    group = f"group-{topic[-8:]}"
    async with running(Relay(database_url, kafka_settings, "test")):
        zombie = child("stopping", group=group)
        for number in range(40):
            await publish(db, counted(number=number), key=str(number % 4))
        await until(lambda: _is_stopped(zombie.pid))
        successor = Consumer(db, kafka_settings, group, [handles(counted, record_effects)])
        async with running(successor):
            await until(lambda: _has_effects(db, 40))
            os.kill(zombie.pid, signal.SIGCONT)
            for number in range(40, 80):
                await publish(db, counted(number=number), key=str(number % 4))
                await asyncio.sleep(0.02)
            await until(lambda: _has_effects(db, 80))

    for key in range(4):
        assert await versions_of(db, str(key)) == list(range(1, 21))
    assert await count(db, "dead_letter", "resolved_at IS NULL") == 0


@pytest.mark.parametrize(
    ("illness", "words"),
    [("blocked", "no sign of life"), ("deaf", "1 events wait and none was handled")],
)
async def test_the_watchdog_ends_a_process_whose_consumer_is_alive_but_dead(
    illness: str,
    words: str,
    db: Database,
    database_url: str,
    kafka_settings: KafkaSettings,
    child: Start,
    topic: str,
    counted: type[Message],
    log: Path,
):
    async with running(Relay(database_url, kafka_settings, "test")):
        await publish(db, counted(number=1), key="a")
        await until(lambda: _drained(db))
    stuck = child(illness, group=f"group-{topic[-8:]}", stall=3.0)

    assert await asyncio.wait_for(stuck.ended(), 40) == EXIT_STALLED
    said = log.read_text()
    assert "watchdog_ends_process" in said
    assert words in said


async def test_relay_and_consumer_go_on_after_the_broker_was_killed(
    db: Database, database_url: str, tmp_path: Path, counted: type[Message]
):
    async with _own_broker(tmp_path) as broker:
        kafka = KafkaSettings(
            bootstrap_servers=broker.bootstrap, request_seconds=2.0, send_seconds=3.0
        )
        consumer = Consumer(db, kafka, "survivor", [handles(counted, record_effects)])
        async with running(Relay(database_url, kafka, "test"), consumer):
            writing = asyncio.create_task(_keep_publishing(db, counted, keys=5, rounds=100))
            await until(lambda: _has_effects(db, 50), seconds=30)
            await broker.kill()
            await asyncio.sleep(1.0)
            await broker.start()
            await writing
            await until(lambda: _has_effects(db, 500), seconds=45)
            await until(lambda: _drained(db))

    for key in range(5):
        assert await versions_of(db, str(key)) == list(range(1, 101))
    assert await count(db, "dead_letter") == 0


@asynccontextmanager
async def _own_broker(path: Path) -> AsyncIterator[EmbeddedKafka]:
    broker = EmbeddedKafka(path / "kafka", *free_ports(2))
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


async def _keep_publishing(db: Database, message_class: type[Message], *, keys: int, rounds: int):
    for _ in range(rounds):
        await _publish_round(db, message_class, keys=keys)
        await asyncio.sleep(0.02)


async def _publish_round(db: Database, message_class: type[Message], *, keys: int) -> None:
    for key in range(keys):
        await publish(db, message_class(), key=str(key))


async def _drained(db: Database) -> bool:
    return await count(db, "outbox_pending") == 0


async def _has_effects(db: Database, number: int) -> bool:
    return await count(db, "effect") >= number
