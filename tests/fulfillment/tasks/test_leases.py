"""Who may work on a task, and whose word counts."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from fulfillment.deliveries.domain import Delivered, Failed, Kind, Retry, Settled, Task, Unit
from fulfillment.kinds.pool.service import PoolKind
from fulfillment.tasks.service import TaskService
from kit.db import Database
from kit.ids import new_id
from kit.messaging.outbox import events_of
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed, LineUnknown
from tests.fulfillment.conftest import Accept, ApiClient
from tests.fulfillment.factories import a_request
from tests.stack.statements import noted_statements


@pytest.fixture
def working(service: Service) -> TaskService:
    found: TaskService = service.state["tasks"]
    return found


@pytest.fixture
def kind(service: Service) -> Kind:
    # Only its name is used here: whom the kind asks is another test's matter.
    return PoolKind(vault=None)  # type: ignore[arg-type]  # never called


async def _take(db: Database, working: TaskService, kind: Kind, limit: int) -> list[Task]:
    async with db.transaction() as tx:
        return await working.take(tx, kind, limit)


async def _end_leases(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE task SET due_at = clock_timestamp()"))


def _delivered(task: Task) -> Settled:
    return Settled(
        task,
        tuple(
            Delivered(delivery.id, (Unit(new_id(), new_id(), "AB****YZ"),), ())
            for delivery in task.deliveries
        ),
    )


def _failed(task: Task) -> Settled:
    return Settled(task, tuple(Failed(it.id, "out_of_stock") for it in task.deliveries))


async def test_workers_at_once_never_take_the_same_task(
    db: Database, accept: Accept, working: TaskService, kind: Kind
) -> None:
    await accept(*(a_request() for _ in range(100)))
    rounds = [await asyncio.gather(*(_take(db, working, kind, 7) for _ in range(8)))]
    while any(rounds[-1]):
        rounds.append(await asyncio.gather(*(_take(db, working, kind, 7) for _ in range(8))))
    taken = [task.id for each in rounds for tasks in each for task in tasks]
    assert len(taken) == len(set(taken)) == 100
    assert all(len(tasks) <= 7 for each in rounds for tasks in each)


async def test_many_tasks_take_the_statements_of_one(
    db: Database, accept: Accept, working: TaskService, kind: Kind
) -> None:
    async def worked(number: int) -> int:
        await accept(*(a_request() for _ in range(number)))
        with noted_statements() as noted:
            tasks = await _take(db, working, kind, 100)
            async with db.transaction() as tx:
                await working.record(tx, [_delivered(task) for task in tasks])
        assert len(tasks) == number
        return len(noted)

    assert await worked(50) == await worked(1)


async def test_a_taken_task_rests_until_its_lease_ends(
    db: Database, accept: Accept, working: TaskService, kind: Kind
) -> None:
    await accept(a_request())
    first = await _take(db, working, kind, 10)
    assert await _take(db, working, kind, 10) == []
    await _end_leases(db)
    second = await _take(db, working, kind, 10)
    assert [task.id for task in second] == [task.id for task in first]
    assert second[0].attempts == 2
    assert second[0].lease_id != first[0].lease_id


async def test_a_worker_whose_lease_ended_settles_nothing(
    db: Database, accept: Accept, working: TaskService, kind: Kind, api: ApiClient
) -> None:
    await accept(a_request())
    paused = (await _take(db, working, kind, 10))[0]
    await _end_leases(db)
    successor = (await _take(db, working, kind, 10))[0]
    async with db.transaction() as tx:
        await working.record(tx, [_failed(paused)])
        assert events_of(tx) == []
    async with db.transaction() as tx:
        await working.record(tx, [_delivered(successor)])
        assert [type(event) for event in events_of(tx)] == [LineDelivered]
    answer = await (await api("deliveries:read")).get("/v1/deliveries")
    assert answer.json()["items"][0]["status"] == "delivered"


async def test_a_settled_task_is_never_taken_or_settled_again(
    db: Database, accept: Accept, working: TaskService, kind: Kind
) -> None:
    await accept(a_request())
    task = (await _take(db, working, kind, 10))[0]
    async with db.transaction() as tx:
        await working.record(tx, [_failed(task)])
        assert [type(event) for event in events_of(tx)] == [LineFailed]
    async with db.transaction() as tx:
        await working.record(tx, [_delivered(task)])
        assert events_of(tx) == []
    await _end_leases(db)
    assert await _take(db, working, kind, 10) == []


async def test_one_unit_cannot_be_delivered_twice(
    db: Database, accept: Accept, working: TaskService, kind: Kind
) -> None:
    await accept(a_request(), a_request())
    one, two = await _take(db, working, kind, 10)
    unit = Unit(new_id(), new_id(), "AB****YZ")
    same = [Settled(task, (Delivered(task.deliveries[0].id, (unit,), ()),)) for task in (one, two)]
    with pytest.raises(Exception, match="pk_delivered_unit"):
        async with db.transaction() as tx:
            await working.record(tx, same)


async def test_an_unknown_outcome_is_told_once_and_asked_again(
    db: Database, accept: Accept, working: TaskService, kind: Kind
) -> None:
    await accept(a_request())
    told: list[type] = []
    for _ in range(3):
        task = (await _take(db, working, kind, 10))[0]
        async with db.transaction() as tx:
            await working.record(tx, [Retry(task, "silence", task.generation, is_unknown=True)])
            told += [type(event) for event in events_of(tx)]
        await _end_leases(db)
    assert told == [LineUnknown]
    task = (await _take(db, working, kind, 10))[0]
    assert task.attempts == 4
    async with db.transaction() as tx:
        await working.record(tx, [_delivered(task)])
        assert [type(event) for event in events_of(tx)] == [LineDelivered]


async def test_a_retry_keeps_its_reason_and_its_generation_and_rests(
    db: Database, accept: Accept, working: TaskService, kind: Kind
) -> None:
    await accept(a_request())
    task = (await _take(db, working, kind, 10))[0]
    async with db.transaction() as tx:
        await working.record(tx, [Retry(task, "hold_lost", 1)])
    async with db.read() as tx:
        row = (
            await tx.execute(
                text("SELECT last_reason, due_at - clock_timestamp() AS rest, lease_id FROM task")
            )
        ).one()
    assert row.last_reason == "hold_lost"
    assert timedelta(0) < row.rest <= timedelta(seconds=0.2)
    assert row.lease_id is None
    await _end_leases(db)
    assert (await _take(db, working, kind, 10))[0].generation == 1


async def test_events_continue_the_trace_of_the_order(
    db: Database, accept: Accept, working: TaskService, kind: Kind
) -> None:
    event = a_request()
    await accept(event)
    task = (await _take(db, working, kind, 10))[0]
    async with db.transaction() as tx:
        await working.record(tx, [_delivered(task)])
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT traceparent, request_id, key FROM event_log"))).one()
    assert (row.traceparent, row.request_id) == (event.traceparent, event.request_id)
    assert row.key == event.message.order_id
