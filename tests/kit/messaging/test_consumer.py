"""The whole way of an event: transaction, outbox, broker, inbox, effect."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from google.protobuf.message import Message
from sqlalchemy import text

from kit.context import request_id_var, traceparent_var
from kit.db import Database, Transaction
from kit.errors import Invalid, NotFound, Unavailable
from kit.ids import new_id
from kit.messaging import outbox
from kit.messaging.consumer import Consumer, handles
from kit.messaging.dead_letters import list_letters, replay_event, replay_key
from kit.messaging.envelope import Envelope, headers_from_json, to_headers
from kit.messaging.events import Event, topic_of, type_of
from kit.messaging.handlers import HandlerSet
from kit.messaging.relay import Relay
from kit.messaging.settings import KafkaSettings
from kit.messaging.topics import ensure_topics, specs_of
from tests.kit.messaging.line import Line
from tests.kit.messaging.stage import (
    count,
    effects,
    event_class,
    new_topic,
    publish,
    publish_each,
    read_topic,
    record_effects,
    running,
    send_again,
    until,
    versions_of,
)

OpenDb = Callable[..., Awaitable[Database]]


async def test_events_of_many_keys_have_their_effect_once_and_in_order_per_key(line: Line, counted):
    async with running(line.relay, line.consumer(handles(counted, record_effects))):
        await asyncio.gather(*(publish_each(line.db, counted, f"k{k}", 20) for k in range(10)))
        await line.has_effects(200)

    for k in range(10):
        assert await versions_of(line.db, f"k{k}") == list(range(1, 21))


async def test_a_release_that_reads_one_topic_more_reads_it_though_it_starts_at_once(
    line: Line, counted
):
    async with running(line.relay, line.consumer(handles(counted, record_effects))):
        await publish(line.db, counted(number=1), key="a")
        await line.has_effects(1)

    more = event_class(new_topic())
    handlers = [handles(counted, record_effects), handles(more, record_effects)]
    relay = Relay(line.relay_url, line.kafka, "test")
    async with running(relay, line.consumer(*handlers)):
        await publish(line.db, more(number=2), key="b")
        await until(lambda: line.holds(2), seconds=40)


async def test_concurrent_writers_of_one_key_give_versions_without_holes(line: Line, counted):
    async with running(line.relay, line.consumer(handles(counted, record_effects))):
        await asyncio.gather(*(publish_each(line.db, counted, "hot", 20) for _ in range(8)))
        await line.has_effects(160)

    assert await versions_of(line.db, "hot") == list(range(1, 161))


async def test_what_is_made_before_the_transaction_reaches_the_handler_also_at_a_retry(
    line: Line, counted
):
    made: list[int] = []
    failed: list[int] = []

    async def before(events: Sequence[Event[Any]]) -> list[str]:
        made.extend(event.message.number for event in events)
        return [f"made of {event.message.number}" for event in events]

    async def fn(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        assert [it.prepared for it in events] == [f"made of {it.message.number}" for it in events]
        if not failed:
            failed.append(1)
            raise Unavailable("once")
        await record_effects(tx, events)

    async with running(line.relay, line.consumer(handles(counted, fn, before=before))):
        await publish(line.db, counted(number=1), key="a")
        await line.has_effects(1)
        await publish(line.db, counted(number=2), key="a")
        await line.has_effects(2)

    assert made[:2] == [1, 1]
    assert set(made[2:]) == {2}


async def test_interleaved_types_of_a_key_reach_their_handlers_in_order(line: Line, topic: str):
    started, ended = event_class(topic, "Started"), event_class(topic, "Ended")
    async with line.db.transaction() as tx:
        for n in range(5):
            for key in ("a", "b"):
                outbox.add(tx, started(number=n), key=key)
                outbox.add(tx, ended(number=n), key=key)

    consumer = line.consumer(handles(started, record_effects), handles(ended, record_effects))
    async with running(line.relay, consumer):
        await line.has_effects(20)

    assert await versions_of(line.db, "a") == list(range(1, 11))
    assert await versions_of(line.db, "b") == list(range(1, 11))


async def test_the_same_events_delivered_twice_change_nothing(line: Line, counted):
    async with running(line.relay, line.consumer(handles(counted, record_effects))):
        for key in ("a", "b", "c"):
            await publish_each(line.db, counted, key, 10)
        await line.has_effects(30)
        await send_again(
            line.kafka.bootstrap_servers,
            await read_topic(line.kafka.bootstrap_servers, line.topic),
        )
        await publish(line.db, counted(number=99), key="a")
        await line.has_effects(31)

    assert len(await effects(line.db)) == 31
    assert await count(line.db, "dead_letter") == 0


async def test_a_poisonous_event_is_parked_with_its_cause_while_others_flow(line: Line, counted):
    healed = asyncio.Event()

    async def handle(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        for event in events:
            if event.message.note == "poison" and not healed.is_set():
                raise ValueError("cannot digest this")
        await record_effects(tx, events)

    handler = handles(counted, handle)
    async with running(line.relay, line.consumer(handler)):
        await publish(line.db, counted(), counted(note="poison"), counted(), key="ill")
        for n in range(30):
            await publish(line.db, counted(number=n), key=f"well-{n}")
        await line.has_effects(31)
        await publish(line.db, counted(), key="ill")
        await until(lambda: _is(line.letters("parked"), 2))

        async with line.db.read() as tx:
            letters = await list_letters(tx, line.group, key="ill")
        healed.set()
        handlers = HandlerSet([handler])
        replayed = await replay_key(line.db, line.group, handlers, (line.topic, "ill"))
        await publish(line.db, counted(), key="ill")
        await line.has_effects(35)

    assert [(x.version, x.cause) for x in letters] == [(2, "failed"), (3, "parked"), (4, "parked")]
    assert letters[0].error == "ValueError: cannot digest this"
    assert letters[0].tries == 3
    assert (replayed.applied, replayed.left) == (3, 0)
    assert await versions_of(line.db, "ill") == [1, 2, 3, 4, 5]


async def test_a_replay_without_a_fix_keeps_the_key_parked(line: Line, counted):
    async def refuse(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        if any(event.message.note == "poison" for event in events):
            raise Invalid("still wrong")
        await record_effects(tx, events)

    handler = handles(counted, refuse)
    async with running(line.relay, line.consumer(handler)):
        await publish(line.db, counted(note="poison"), counted(), key="ill")
        await until(lambda: _is(line.letters("parked"), 1))
        async with line.db.read() as tx:
            [first, _] = await list_letters(tx, line.group, key="ill")
        result = await replay_event(line.db, line.group, HandlerSet([handler]), first.event_id)

    assert (result.applied, result.left, result.error) == (0, 2, "invalid: still wrong")
    assert first.tries == 1
    assert await effects(line.db) == []


async def test_an_error_that_passes_is_tried_again_until_it_has_passed(line: Line, counted):
    calls = 0

    async def handle(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        nonlocal calls
        calls += 1
        if calls <= 6:
            raise Unavailable("the other side restarts")
        await record_effects(tx, events)

    async with running(line.relay, line.consumer(handles(counted, handle))):
        await publish(line.db, counted(), counted(), key="a")
        await line.has_effects(2)

    assert calls == 7
    assert await versions_of(line.db, "a") == [1, 2]
    assert await count(line.db, "dead_letter") == 0


async def test_not_found_is_tried_for_a_moment_since_the_event_may_be_early(line: Line, counted):
    calls = 0

    async def handle(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        nonlocal calls
        calls += 1
        if calls <= 4:
            raise NotFound("not here yet")
        await record_effects(tx, events)

    async with running(line.relay, line.consumer(handles(counted, handle))):
        await publish(line.db, counted(), key="a")
        await line.has_effects(1)

    assert await count(line.db, "dead_letter") == 0


async def test_while_one_partition_waits_the_others_flow(line: Line, counted):
    opened = asyncio.Event()

    async def handle(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        if not opened.is_set() and any(event.key == "slow" for event in events):
            raise Unavailable("not yet")
        await record_effects(tx, events)

    async with running(line.relay, line.consumer(handles(counted, handle))):
        await publish(line.db, counted(), key="slow")
        await asyncio.sleep(0.5)
        for n in range(60):
            await publish(line.db, counted(), key=f"k{n}")
        await line.has_effects(40)
        before = await versions_of(line.db, "slow")
        opened.set()
        await line.has_effects(61)

    assert before == []
    assert await versions_of(line.db, "slow") == [1]


async def test_a_handler_that_hangs_is_cut_off_and_tried_again(
    db: Database, database_url: str, kafka_settings: KafkaSettings, topic: str, counted
):
    hurried = kafka_settings.model_copy(update={"handler_seconds": 0.5})
    line = Line(db, db, database_url, hurried, topic)
    calls = 0

    async def handle(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        await record_effects(tx, events)

    async with running(line.relay, line.consumer(handles(counted, handle))):
        await publish(line.db, counted(), key="a")
        await line.has_effects(1)

    assert calls == 2


async def test_a_version_gap_is_held_and_filled_in_order(line: Line, counted):
    await publish(line.db, *(counted() for _ in range(5)), key="a")
    async with running(line.relay):
        await until(line.settled)
    records = await read_topic(line.kafka.bootstrap_servers, line.topic)
    other = new_topic()
    renamed = event_class(other, "Counted")
    shuffled = [_moved(records[place], other, renamed) for place in (0, 2, 4, 3, 1)]

    async with running(line.consumer(handles(renamed, record_effects))):
        await send_again(line.kafka.bootstrap_servers, shuffled[:4])
        await until(lambda: _is(line.letters("gap"), 3))
        before = await versions_of(line.db, "a")
        await send_again(line.kafka.bootstrap_servers, shuffled[4:])
        await line.has_effects(5)

    assert before == [1]
    assert await versions_of(line.db, "a") == [1, 2, 3, 4, 5]
    assert await line.letters("gap") == 0


def _moved(record: Any, topic: str, message_class: type[Message]) -> Any:
    headers = dict(record.headers)
    headers["ce_type"] = message_class.DESCRIPTOR.full_name.encode()
    return type(record)(
        **{
            name: getattr(record, name)
            for name in record.__dataclass_fields__
            if name not in {"topic", "headers"}
        },
        topic=topic,
        headers=tuple(headers.items()),
    )


async def test_types_nobody_handles_still_count(line: Line, topic: str, counted):
    ignored = event_class(topic, "Ignored")
    async with running(line.relay, line.consumer(handles(counted, record_effects))):
        await publish(line.db, ignored(), counted(), ignored(), ignored(), counted(), key="a")
        await line.has_effects(2)

    assert await versions_of(line.db, "a") == [2, 5]
    assert await count(line.db, "inbox") == 2


async def test_a_snapshot_may_jump_over_versions(line: Line):
    topic = new_topic()
    state = event_class(topic, "State", snapshot=True)
    await publish(line.db, *(state(number=n) for n in range(3)), key="a")
    async with running(line.relay):
        await until(line.settled)
    records = await read_topic(line.kafka.bootstrap_servers, topic)
    other = event_class(new_topic(), "State", snapshot=True)
    moved = [_moved(record, topic_of(other), other) for record in records]

    async with running(line.consumer(handles(other, record_effects))):
        await send_again(line.kafka.bootstrap_servers, [moved[2], moved[0]])
        await line.has_effects(1)
        await asyncio.sleep(0.3)

    assert await versions_of(line.db, "a") == [3]
    assert await count(line.db, "dead_letter") == 0


async def test_outgoing_events_continue_the_trace_of_the_incoming_one(line: Line, counted):
    answer = event_class(new_topic(), "Answered")
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    seen: list[Event[Any]] = []

    async def reply(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        for event in events:
            outbox.add(tx, answer(number=event.message.number), key=event.key)

    async def note(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        seen.extend(events)
        await record_effects(tx, events)

    traceparent_var.set(trace)
    request_id_var.set("request-1")
    consumer = line.consumer(handles(counted, reply), handles(answer, note))
    async with running(line.relay, consumer):
        await publish(line.db, counted(number=7), key="a")
        await line.has_effects(1)

    assert seen[0].traceparent == trace
    assert seen[0].request_id == "request-1"
    assert seen[0].message.number == 7


@pytest.mark.parametrize(
    ("key", "value", "headers", "words"),
    [
        (None, b"x", [], "no key"),
        (b"k", b"x", [], "ce_time is missing"),
        (b"k", b"\xff\xff\xff", None, "payload is not a"),
        (b"k", None, None, "no payload"),
    ],
)
async def test_what_cannot_be_read_is_put_aside_with_its_bytes(
    line: Line, topic: str, counted, key, value, headers, words: str
):
    envelope = Envelope(
        new_id(), type_of(counted), topic, "k", 1, datetime.now(UTC), None, None, None
    )
    given = to_headers(envelope, source="test") if headers is None else headers
    async with running(line.relay, line.consumer(handles(counted, record_effects))):
        await ensure_topics(line.kafka.bootstrap_servers, specs_of([counted], line.kafka))
        async with AIOKafkaProducer(bootstrap_servers=line.kafka.bootstrap_servers) as producer:
            await producer.send_and_wait(topic, value, key=key, headers=given, partition=0)
        await publish(line.db, counted(), key="healthy")
        await until(lambda: _is(line.letters("undecodable"), 1))
        await line.has_effects(1)

    async with line.db.read() as tx:
        stored = (await tx.execute(text("SELECT * FROM dead_letter"))).one()
    assert words in stored.error
    assert stored.payload == value
    assert stored.record_key == key
    assert headers_from_json(stored.headers) == given


async def test_two_workers_share_the_partitions_and_hand_them_over(
    line: Line, counted, open_db: OpenDb
):
    # A worker that left is missed after its session; the broker allows no shorter one.
    line.kafka = line.kafka.model_copy(update={"session_seconds": 6.0})
    second_settings = line.kafka.model_copy(update={"member": 1})
    handler = handles(counted, record_effects)
    second = Consumer(await open_db(), second_settings, line.group, [handler])
    async with running(line.relay, line.consumer(handler)):
        await asyncio.gather(*(publish_each(line.db, counted, f"k{k}", 5) for k in range(20)))
        async with running(second):
            for _ in range(10):
                await asyncio.gather(
                    *(publish_each(line.db, counted, f"k{k}", 1) for k in range(20))
                )
                await asyncio.sleep(0.5)
            assert second.progress.started
        await asyncio.gather(*(publish_each(line.db, counted, f"k{k}", 5) for k in range(20)))
        await line.has_effects(400)

    for k in range(20):
        assert await versions_of(line.db, f"k{k}") == list(range(1, 21))
    assert await count(line.db, "dead_letter", "resolved_at IS NULL") == 0


async def test_a_lost_database_connection_delays_but_does_nothing_twice(line: Line, counted):
    async with running(line.relay, line.consumer(handles(counted, record_effects))):
        for n in range(40):
            await publish(line.db, counted(number=n), key=str(n % 4))
            if n % 10 == 5:
                await _cut_off_consumer(line.db)
        await line.has_effects(40)

    for key in range(4):
        assert await versions_of(line.db, str(key)) == list(range(1, 11))
    assert await count(line.db, "dead_letter") == 0


async def test_an_event_with_a_version_drawn_twice_is_not_lost_silently(line: Line, counted):
    async with running(line.relay, line.consumer(handles(counted, record_effects))):
        await publish(line.db, counted(number=1), counted(number=2), key="a")
        await line.has_effects(2)
        async with line.db.transaction() as tx:
            await tx.execute(text("UPDATE outbox_key SET last_version = 0"))
        await publish(line.db, counted(number=3), key="a")
        await until(lambda: _is(line.letters("stale"), 1))

    assert await versions_of(line.db, "a") == [1, 2]


async def _cut_off_consumer(db: Database) -> None:
    async with db.read() as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'consumer'"
            )
        )


async def _is(number: Any, wanted: int) -> bool:
    return bool(await number == wanted)
