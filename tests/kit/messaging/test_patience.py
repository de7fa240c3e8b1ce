"""How long events wait for company, and what becomes of those that do."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from kit.db import Transaction
from kit.messaging.consumer import handles
from kit.messaging.events import Event
from tests.kit.messaging.line import Line
from tests.kit.messaging.stage import (
    count,
    event_class,
    publish,
    publish_each,
    record_effects,
    running,
    until,
    versions_of,
)


async def test_patient_events_go_along_with_one_of_their_key_that_cannot_wait(
    line: Line, topic: str
):
    patient = event_class(topic, "Patient", patience_ms=600_000)
    urgent = event_class(topic, "Urgent")
    batches: list[list[str]] = []

    async def note(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        batches.append([event.type.rpartition(".")[2] for event in events])
        await record_effects(tx, events)

    consumer = line.consumer(handles(patient, note), handles(urgent, note))
    async with running(line.relay, consumer):
        await publish(line.db, patient(number=1), key="a")
        await publish(line.db, patient(number=2), key="a")
        await publish(line.db, urgent(number=3), key="a")
        await line.has_effects(3)

    assert await versions_of(line.db, "a") == [1, 2, 3]
    assert batches[-2:] == [["Patient", "Patient"], ["Urgent"]]


async def test_patient_events_of_other_keys_wait_on_and_are_not_lost(line: Line, topic: str):
    patient = event_class(topic, "Patient", patience_ms=600_000)
    urgent = event_class(topic, "Urgent")
    handlers = [handles(patient, record_effects), handles(urgent, record_effects)]
    async with running(line.relay):
        async with running(line.consumer(*handlers)):
            for key in "abcdefgh":
                await publish(line.db, patient(number=1), key=key)
            await publish(line.db, urgent(number=2), key="a")
            await line.has_effects(2)
        assert await count(line.db, "effect") == 2

        # They were not committed with the one that overtook them: each comes again.
        async with running(line.consumer(*handlers)):
            for key in "bcdefgh":
                await publish(line.db, urgent(number=2), key=key)
            await line.has_effects(16)
    for key in "abcdefgh":
        assert await versions_of(line.db, key) == [1, 2]


@pytest.mark.parametrize("with_urgent_ones", [True, False])
async def test_patient_events_that_get_no_company_have_their_effect_all_the_same(
    line: Line, topic: str, with_urgent_ones: bool
):
    handlers = [handles(event_class(topic, "Patient", patience_ms=100), record_effects)]
    if with_urgent_ones:
        handlers.append(handles(event_class(topic, "Urgent"), record_effects))
    async with running(line.relay, line.consumer(*handlers)):
        for number in range(3):
            await publish(line.db, event_class(topic, "Patient")(number=number), key="a")
            await line.has_effects(number + 1)

    assert await versions_of(line.db, "a") == [1, 2, 3]


async def test_a_patient_consumer_gathers_what_keeps_coming(line: Line, counted):
    began: list[float] = []

    async def note(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        began.append(time.monotonic())
        await record_effects(tx, events)

    async with running(line.relay, line.consumer(handles(counted, note), patience=0.3)):
        await asyncio.gather(*(publish_each(line.db, counted, f"k{k}", 10) for k in range(4)))
        await line.has_effects(40)

    assert all(later - earlier >= 0.29 for earlier, later in pairwise(began))
    for k in range(4):
        assert await versions_of(line.db, f"k{k}") == list(range(1, 11))


async def test_a_patient_consumer_handles_what_comes_alone_at_once_and_stops_at_once(
    line: Line, counted
):
    patient = line.consumer(handles(counted, record_effects), patience=600.0)
    async with running(line.relay, patient):
        await publish(line.db, counted(number=1), key="a")
        await line.has_effects(1)
        await publish(line.db, counted(number=2), key="a")
        await until(line.settled)

    async with running(line.consumer(handles(counted, record_effects))):
        await line.has_effects(2)
    assert await versions_of(line.db, "a") == [1, 2]


async def test_a_patient_consumer_lets_no_event_wait_longer_than_itself(line: Line, topic: str):
    patient = event_class(topic, "Patient", patience_ms=600_000)
    async with running(line.relay, line.consumer(handles(patient, record_effects), patience=600.0)):
        await publish(line.db, patient(number=1), key="a")
        await line.has_effects(1)
