"""Connections at hand to read by: which are kept, and what becomes of one that fails."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text

import kit.standby
from kit.db import Database
from kit.errors import Unavailable
from kit.standby import KEPT_MAX, Standby
from tests.kit.begun.items import ADD, APPLICATION, BEGUN, items, states

PID = text("SELECT pg_backend_pid()")


async def pid(standby: Standby) -> int:
    async with standby.read() as tx:
        return int((await tx.execute(PID)).scalar_one())


async def pid_of_pool(db: Database) -> int:
    async with db.read() as tx:
        return int((await tx.execute(PID)).scalar_one())


async def test_the_next_read_has_the_same_connection_and_the_pool_another(
    db: Database, standby: Standby, watcher: asyncpg.Connection
):
    first = await pid(standby)

    assert [await pid(standby), await pid(standby)] == [first, first]
    assert await pid_of_pool(db) != first
    assert BEGUN not in await states(watcher)


async def test_each_that_runs_has_its_own_and_only_so_many_are_kept(standby: Standby):
    async def one(ready: asyncio.Barrier) -> int:
        async with standby.read() as tx:
            await ready.wait()
            return int((await tx.execute(PID)).scalar_one())

    ready = asyncio.Barrier(KEPT_MAX + 1)
    several = await asyncio.gather(*(one(ready) for _ in range(KEPT_MAX + 1)))
    ready = asyncio.Barrier(KEPT_MAX)
    kept = await asyncio.gather(*(one(ready) for _ in range(KEPT_MAX)))

    assert len(set(several)) == KEPT_MAX + 1
    assert len(set(kept)) == KEPT_MAX
    assert set(kept) < set(several)


async def test_reads_and_transactions_do_not_share_connections(
    standby: Standby, watcher: asyncpg.Connection
):
    first = await pid(standby)
    async with standby.transaction() as tx:
        await tx.execute(ADD, {"id": 1})
        inside = int((await tx.execute(PID)).scalar_one())

    assert inside != first
    assert await pid(standby) == first
    assert await items(watcher) == [1]


async def test_one_that_fails_goes_back_and_the_next_reads(db: Database, standby: Standby):
    first = await pid(standby)
    with pytest.raises(RuntimeError):
        async with standby.read():
            raise RuntimeError

    assert await pid_of_pool(db) == first
    assert await pid(standby) > 0


async def test_a_session_that_ends_between_two_fails_one_at_most(
    standby: Standby, watcher: asyncpg.Connection
):
    first = await pid(standby)
    await watcher.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        APPLICATION,
    )
    try:
        again = await pid(standby)
    except Unavailable:
        again = await pid(standby)

    assert again != first


async def test_a_connection_goes_back_at_times_however_busy_it_is(
    db: Database, standby: Standby, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kit.standby, "KEPT_SECONDS_MAX", 0.0)
    first = await pid(standby)

    assert await pid_of_pool(db) == first
