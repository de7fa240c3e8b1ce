"""The second wall: rows of other merchants are not there, whatever a statement forgets."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from kit.combine import Combiner
from kit.db import Database
from kit.ids import new_id
from kit.periodic import Periodic
from kit.service import Service
from kit.tenancy import act_for, acting, for_every_merchant, forget
from order.merchants import service as merchants
from tests.order.conftest import a_key
from tests.order.factories import MERCHANT, OTHER_MERCHANT, an_order, placed

POOL_SIZE = 5
CALLS = 4_000
CALLERS = 20
CUT_SHARE = 0.2
SEED = 20_261_127
ALL_ORDERS = text("SELECT merchant_id FROM orders")


@pytest.fixture
async def guarded(service: Service) -> AsyncIterator[Database]:
    """The service's database, opened as the service opens it, with few connections."""
    made = Database(
        service.db.url, application_name="guarded", pool_size=POOL_SIZE, guards_merchants=True
    )
    yield made
    await made.close()


async def owners(db: Database, merchant_ids: Sequence[UUID | None] | None) -> set[UUID]:
    """Whose orders a statement sees that forgot its WHERE."""
    async with db.transaction(merchant_ids) as tx:
        inside = set((await tx.execute(ALL_ORDERS)).scalars())
    async with db.read(merchant_ids) as tx:
        outside = set((await tx.execute(ALL_ORDERS)).scalars())
    assert inside == outside
    return inside


async def test_a_forgotten_where_sees_the_rows_of_those_it_acts_for_and_no_others(
    db: Database, guarded: Database
):
    for merchant_id in (MERCHANT, OTHER_MERCHANT):
        await placed(db, an_order(merchant_id=merchant_id))

    assert await owners(guarded, [MERCHANT]) == {MERCHANT}
    assert await owners(guarded, [OTHER_MERCHANT]) == {OTHER_MERCHANT}
    assert await owners(guarded, [new_id()]) == set()
    assert await owners(guarded, []) == set()
    assert await owners(guarded, [MERCHANT, OTHER_MERCHANT]) == {MERCHANT, OTHER_MERCHANT}
    assert await owners(guarded, [None]) == {MERCHANT, OTHER_MERCHANT}


async def test_who_says_nothing_is_refused(db: Database, guarded: Database):
    await placed(db, an_order())

    async def read() -> None:
        async with guarded.read() as tx:
            await tx.execute(ALL_ORDERS)

    async def write() -> None:
        async with guarded.transaction() as tx:
            await tx.execute(text("UPDATE orders SET reason = 'x'"))

    for call in (read, write):
        with pytest.raises(DBAPIError):
            await call()
    # What an earlier user of the connection said is over, whichever way it was said.
    for _ in range(POOL_SIZE):
        await owners(guarded, [MERCHANT])
        for call in (read, write):
            with pytest.raises(DBAPIError):
                await call()


async def test_another_merchants_rows_are_neither_changed_nor_made(db: Database, guarded: Database):
    foreign = await placed(db, an_order(merchant_id=OTHER_MERCHANT))

    async with guarded.transaction([MERCHANT]) as tx:
        for statement in ("UPDATE orders SET reason = 'x'", "DELETE FROM order_payment"):
            assert (await tx.execute(text(statement))).rowcount == 0
        locked = await tx.execute(text("SELECT id FROM orders FOR UPDATE"))
        assert locked.all() == []
    with pytest.raises(DBAPIError, match="row-level security"):
        await _give_away_a_channel(guarded)
    async with guarded.read([OTHER_MERCHANT]) as tx:
        reasons = (await tx.execute(text("SELECT id, reason FROM orders"))).all()
    assert [tuple(row) for row in reasons] == [(foreign.id, "")]


async def test_nobody_sees_the_platforms_own_keys(service: Service, guarded: Database):
    async with service.db.transaction() as tx:
        await tx.execute(
            text("INSERT INTO api_key (key_id, secret_hash, scopes) VALUES ('p', 'x', '{}')")
        )
        await tx.execute(
            text(
                "INSERT INTO issued_key (key_id, name, mode, created_by) "
                "VALUES ('p', 'platform', 'live', 'test')"
            )
        )
    count = text("SELECT count(*) FROM issued_key")

    async with guarded.transaction([MERCHANT]) as tx:
        assert (await tx.execute(count)).scalar_one() == 0
    async with guarded.transaction([None]) as tx:
        assert (await tx.execute(count)).scalar_one() == 1


async def test_a_statement_smuggled_into_the_setting_is_refused(guarded: Database):
    token = act_for([MERCHANT])
    forget(token)
    smuggled: Any = "'; DROP TABLE orders; --"

    with pytest.raises(ValueError, match="what kit makes of ids"):
        async with guarded.transaction([smuggled]):
            pass


async def _give_away_a_channel(guarded: Database) -> None:
    async with guarded.transaction([MERCHANT]) as tx:
        await merchants.create_channel(tx, MERCHANT, "x", "shop", is_trusted=False)
        await tx.execute(text("UPDATE channel SET merchant_id = :other"), {"other": OTHER_MERCHANT})


class Crowd:
    """Callers of many merchants on few connections; a fifth of their calls are cancelled."""

    def __init__(self, db: Database, tenants: Sequence[UUID]) -> None:
        self._db = db
        self._tenants = tenants
        self._chance = random.Random(SEED)
        self.foreign = 0
        self.seen = 0
        self.cut = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._caller() for _ in range(CALLERS)))

    async def _caller(self) -> None:
        for _ in range(CALLS // CALLERS):
            task = asyncio.create_task(self._call(self._chance.choice(self._tenants)))
            if self._chance.random() < CUT_SHARE:
                await asyncio.sleep(self._chance.random() * 0.01)
                self.cut += task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()

    async def _call(self, tenant: UUID) -> None:
        is_write = self._chance.random() < 0.5
        opened = self._db.transaction([tenant]) if is_write else self._db.read([tenant])
        async with opened as tx:
            for _ in range(2):
                rows = (await tx.execute(ALL_ORDERS)).scalars().all()
                self.foreign += sum(row != tenant for row in rows)
                self.seen += len(rows)


@pytest.mark.timeout(60)
async def test_interleaved_and_cancelled_calls_of_eight_merchants_see_no_foreign_row(
    db: Database, guarded: Database
):
    tenants = [new_id() for _ in range(8)]
    for tenant in tenants:
        await placed(db, an_order(merchant_id=tenant))
    in_transaction = _returned(guarded)
    crowd = Crowd(guarded, tenants)

    await crowd.run()

    assert crowd.foreign == 0
    assert crowd.seen > CALLS
    assert crowd.cut > CALLS // 10
    assert in_transaction == [False] * len(in_transaction)
    assert len(in_transaction) > CALLS // 2
    async with db.read() as tx:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'guarded' AND "
        left = await tx.execute(text(query + "state LIKE 'idle in transaction%'"))
        assert left.scalar_one() == 0


def _returned(db: Database) -> list[bool]:
    """Of each connection that goes back to the pool from now on: whether it is in a transaction."""
    found: list[bool] = []

    def note(connection: Any, _: object) -> None:
        if connection is not None:  # None: one that broke is thrown away
            found.append(connection.driver_connection.is_in_transaction())

    event.listen(db._engine.sync_engine, "checkin", note)
    return found


async def test_a_batch_of_many_callers_has_to_say_for_whom_it_acts():
    found: list[str | None] = []

    async def work(items: Sequence[int]) -> Sequence[int]:
        found.append(acting())
        return items

    token = act_for([MERCHANT])
    await Combiner(work)(1)
    forget(token)

    assert found == [""]


async def test_a_job_acts_for_every_merchant_and_what_comes_after_it_does_not():
    found: list[str | None] = []

    async def run() -> None:
        found.append(acting())
        job.stop()

    job = Periodic("look", 1, run)
    await job.run()

    assert (found, acting()) == (["*"], None)
    with pytest.raises(ValueError, match="say why"), for_every_merchant(""):
        pass


async def test_a_request_leaves_nothing_behind_it(service: Service, open_api: Any):
    api = await open_api()

    assert (await api.get("/v1/orders")).status_code == 200
    assert (await api.get("/v1/orders", headers={"Authorization": ""})).status_code == 401
    assert acting() is None
    assert await a_key(service.db, [], MERCHANT)
