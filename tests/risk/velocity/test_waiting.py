"""A purchase that comes alone is locked and counted in one statement, which began before it waited:
what happened meanwhile counts all the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database, Transaction
from kit.service import Service
from risk.counts import read_count
from risk.velocity.domain import Velocity
from risk.velocity.service import Counted, VelocityService
from risk.windows.domain import Outcome
from tests.risk.factories import MERCHANT, recorded
from tests.risk.velocity.test_statements import a_purchase

COUNTS = [read_count(name) for name in ("purchases_by_customer_1d", "unpaid_by_customer_1d")]
Record = Callable[[int], Awaitable[Counted]]


@pytest.fixture
def velocity(service: Service) -> VelocityService:
    found: VelocityService = service.state["velocity"]
    return found


@pytest.fixture
async def record(db: Database, velocity: VelocityService) -> Record:
    """Records purchase `number` as one that comes alone."""
    async with db.transaction() as tx:
        await velocity.watches.watch(tx, MERCHANT, COUNTS)

    async def run(number: int) -> Counted:
        async with db.transaction() as tx:
            watched = await velocity.watches.watched(tx, [MERCHANT])
            return await velocity.record(
                tx, [a_purchase(number)], {MERCHANT: COUNTS}, watched, lambda _: []
            )

    return run


def counts_in(counted: Counted) -> Velocity:
    ((_, found),) = counted.purchases
    return found


@asynccontextmanager
async def meanwhile(
    db: Database, waiting: Awaitable[Counted], answers: list[Counted]
) -> AsyncIterator[Transaction]:
    """`waiting` begins once the block has done its work, waits for its locks, and goes on once it
    is committed.
    """
    async with db.transaction() as tx:
        yield tx
        await tx.write()
        task = asyncio.ensure_future(waiting)
        await _until_somebody_waits(db)
    answers.append(await task)


async def _until_somebody_waits(db: Database) -> None:
    for _ in range(1_000):
        async with db.read() as tx:
            row = (await tx.execute(text(_WAITING))).one()
        if row.number:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waited")


_WAITING = """
    SELECT count(*) AS number FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.mark.parametrize("before", [0, 1])
async def test_another_purchase_of_the_same_buyer_counts(
    db: Database, velocity: VelocityService, record: Record, before: int
) -> None:
    """With nothing before, the key itself is new to both."""
    for number in range(before):
        await record(10 + number)
    answers: list[Counted] = []

    async with meanwhile(db, record(2), answers) as tx:
        await recorded(velocity, tx, [a_purchase(1)])

    assert counts_in(answers[0]).counts["purchases_by_customer_1d"] == before + 2
    assert counts_in(answers[0]).earlier_purchases == before + 1


async def test_what_became_of_a_purchase_counts(
    db: Database, velocity: VelocityService, record: Record
) -> None:
    await record(1)
    answers: list[Counted] = []

    async with meanwhile(db, record(2), answers) as tx:
        await velocity.settle(tx, [(UUID(int=1), Outcome.UNPAID)])

    assert counts_in(answers[0]).counts["unpaid_by_customer_1d"] == 1


async def test_what_a_rule_counts_by_from_now_on_is_locked_too(
    db: Database, velocity: VelocityService, record: Record
) -> None:
    await record(1)
    answers: list[Counted] = []

    async with meanwhile(db, record(2), answers) as tx:
        await velocity.watches.watch(tx, MERCHANT, [read_count("purchases_by_device_1d")])

    async with db.read() as tx:
        rows = await tx.execute(
            text("SELECT purchases_total FROM velocity_key WHERE kind = 'device'")
        )
        assert list(rows.scalars()) == [2]


async def test_the_same_purchase_is_recorded_once(
    db: Database, velocity: VelocityService, record: Record
) -> None:
    answers: list[Counted] = []

    async with meanwhile(db, record(1), answers) as tx:
        await recorded(velocity, tx, [a_purchase(1)])

    assert answers[0].purchases == []
    assert counts_in(await record(2)).earlier_purchases == 1


async def test_callers_at_once_count_as_if_they_came_one_by_one(
    db: Database, record: Record
) -> None:
    made = [counts_in(it) for it in await asyncio.gather(*map(record, range(1, 31)))]

    assert sorted(it.counts["purchases_by_customer_1d"] for it in made) == list(range(1, 31))
    assert sorted(it.earlier_purchases for it in made) == list(range(30))
