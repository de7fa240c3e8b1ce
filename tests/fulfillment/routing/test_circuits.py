"""A supplier that does not answer is left alone for a while, by all processes together."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fulfillment.connector import Done, Failed, Report, Unknown
from fulfillment.routing.domain import Seen
from fulfillment.routing.repository import RoutingRepository
from fulfillment.routing.service import CircuitLimits, RoutingService
from kit.db import Database
from kit.money import Money
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT

KEY = (MERCHANT, "acme")
SILENT = Unknown("no_answer")
WORKS = Failed("sold_out")


@pytest.fixture
def routing() -> RoutingService:
    return RoutingService(RoutingRepository(), CircuitLimits(3, timedelta(seconds=30)))


def seen(report: Report, merchant: Any = MERCHANT, now: str = "unknown") -> Seen:
    return Seen(merchant, "acme", "A", report, "sent", now, 0.3)


async def note(db: Database, routing: RoutingService, *reports: Report) -> None:
    async with db.transaction() as tx:
        await routing.note(tx, [seen(report) for report in reports])


async def admitted(db: Database, routing: RoutingService, number: int = 1) -> list[bool]:
    async with db.transaction() as tx:
        return await routing.admit(tx, [KEY] * number)


async def end_pause(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE supplier_circuit SET open_until = clock_timestamp() - interval '1 s'")
        )


async def open_for(db: Database) -> float:
    async with db.read() as tx:
        statement = (
            "SELECT extract(epoch FROM open_until - clock_timestamp()) FROM supplier_circuit"
        )
        return float((await tx.execute(text(statement))).scalar_one())


async def test_it_opens_after_so_many_failures_in_a_row_and_not_before(
    db: Database, routing: RoutingService
) -> None:
    await note(db, routing, SILENT, SILENT)
    await note(db, routing, WORKS)
    await note(db, routing, SILENT)
    await note(db, routing, SILENT)
    assert await admitted(db, routing) == [True]

    await note(db, routing, SILENT)

    assert await admitted(db, routing, 2) == [False, False]
    async with db.transaction() as tx:
        assert await routing.admit(tx, [(OTHER_MERCHANT, "acme"), (MERCHANT, "other")]) == [
            True,
            True,
        ]


async def test_after_the_pause_one_call_tries_whoever_asks_at_once(
    db: Database, routing: RoutingService
) -> None:
    await note(db, routing, SILENT, SILENT, SILENT)
    await end_pause(db)

    answers = await asyncio.gather(*(admitted(db, routing, 2) for _ in range(16)))

    assert sum(sum(each) for each in answers) == 1


async def test_it_closes_when_the_try_is_answered_and_stays_open_longer_when_not(
    db: Database, routing: RoutingService
) -> None:
    await note(db, routing, SILENT, SILENT, SILENT)
    assert 25 < await open_for(db) <= 30
    await end_pause(db)
    await admitted(db, routing)
    await note(db, routing, SILENT)
    assert 55 < await open_for(db) <= 60
    assert await admitted(db, routing) == [False]
    await end_pause(db)
    assert await admitted(db, routing) == [True]

    await note(db, routing, Done(Money(1, "CNY"), ""))

    assert await admitted(db, routing, 3) == [True, True, True]


async def test_failures_that_come_back_late_do_not_lengthen_the_pause(
    db: Database, routing: RoutingService
) -> None:
    await note(db, routing, SILENT, SILENT, SILENT)
    before = await open_for(db)

    for _ in range(5):
        await note(db, routing, SILENT, SILENT, SILENT)

    assert await open_for(db) <= before


async def test_an_opening_is_told_once_and_no_failure_after_it(
    db: Database, routing: RoutingService
) -> None:
    async def opened(number: int) -> Any:
        pauses = {"pause": timedelta(seconds=30), "pause_max": timedelta(minutes=15)}
        async with db.transaction() as tx:
            return await RoutingRepository().trouble(tx, {KEY: number}, failures_min=3, **pauses)

    assert await opened(2) == {}
    assert await opened(1) == {KEY: 1}
    assert await opened(5) == {}
    await end_pause(db)
    assert await opened(1) == {KEY: 2}

    await note(db, routing, WORKS)

    assert await opened(3) == {KEY: 1}


async def test_whoever_asks_does_not_wait_for_whoever_writes_a_circuit_down(
    db: Database, routing: RoutingService
) -> None:
    await note(db, routing, SILENT, SILENT, SILENT)
    await end_pause(db)
    async with db.transaction() as tx:
        await routing.note(tx, [seen(WORKS)])
        async with asyncio.timeout(30):
            assert await admitted(db, routing) == [False]

    assert await admitted(db, routing) == [True]


async def test_outcomes_are_counted_by_many_writers_at_once(
    db: Database, routing: RoutingService
) -> None:
    async def one() -> None:
        async with db.transaction() as tx:
            await routing.note(
                tx,
                [
                    seen(Done(Money(1, "CNY"), ""), now="done"),
                    seen(WORKS, now="failed"),
                    seen(SILENT),
                ],
            )

    await asyncio.gather(*(one() for _ in range(16)))

    ours, others = (MERCHANT, "acme", "A"), (OTHER_MERCHANT, "acme", "A")
    async with db.read() as tx:
        found = await routing.find_records(tx, [ours, (MERCHANT, "acme", "B"), others])
    record = found[ours]
    assert (record.done, record.failed, record.unknown, record.p95_ms) == (16, 16, 16, 400)
    assert list(found) == [ours]
