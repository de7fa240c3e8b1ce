"""Orders that are not paid in time end, in bounded batches, each once."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from kit.db import Database
from order.orders.domain import OrderStatus
from order.saga import service as saga
from tests.order.factories import an_order, kinds_of, placed, state_of

LATE = datetime.now(UTC) - timedelta(seconds=1)


async def test_only_orders_that_were_not_paid_in_time_expire(db: Database) -> None:
    late, timely = await placed(db, an_order(pay_until=LATE)), await placed(db)

    async with db.transaction() as tx:
        assert await saga.expire_due(tx, 10) == 1

    assert (await state_of(db, late)).status is OrderStatus.EXPIRED
    assert await kinds_of(db, late) == ["placed", "expired"]
    assert (await state_of(db, timely)).status is OrderStatus.PENDING_PAYMENT


async def test_a_round_ends_at_most_its_batch(db: Database) -> None:
    for _ in range(3):
        await placed(db, an_order(pay_until=LATE))

    async with db.transaction() as tx:
        assert await saga.expire_due(tx, 2) == 2
        assert await saga.expire_due(tx, 2) == 1


async def test_two_workers_share_the_work_and_end_each_order_once(db: Database) -> None:
    for _ in range(20):
        await placed(db, an_order(pay_until=LATE))

    async def work() -> int:
        ended = 0
        for _ in range(10):
            async with db.transaction() as tx:
                ended += await saga.expire_due(tx, 3)
        return ended

    assert sum(await asyncio.gather(work(), work())) == 20
    async with db.read() as tx:
        query = text("SELECT count(*) FROM event_log WHERE type LIKE '%OrderExpired'")
        assert (await tx.execute(query)).scalar_one() == 20
