"""Transactions that are begun before they are needed: what each keeps, and when they go back."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

import kit.standby
from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.standby import Standby
from tests.kit.begun.items import ADD, APPLICATION, BEGUN, items, states


async def add(standby: Standby, item: int) -> None:
    async with standby.transaction() as tx:
        await tx.execute(ADD, {"id": item})


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 30
    while not await found():
        assert time.monotonic() < deadline, "it never came to that"
        await asyncio.sleep(0.02)


async def test_the_next_one_begins_with_the_commit_and_holds_nothing(
    standby: Standby, watcher: asyncpg.Connection
):
    for number in (1, 2, 3):
        await add(standby, number)
        assert await states(watcher) == [BEGUN]
    held = await watcher.fetchrow(
        "SELECT backend_xid, backend_xmin FROM pg_stat_activity WHERE application_name = $1",
        APPLICATION,
    )

    assert await items(watcher) == [1, 2, 3]
    assert tuple(held) == (None, None)


async def test_a_connection_that_nobody_needs_goes_back(
    standby: Standby, watcher: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kit.standby, "IDLE_SECONDS_MAX", 0.01)
    await add(standby, 1)

    async def is_back() -> bool:
        return await states(watcher) == ["idle"]

    await until(is_back)
    await add(standby, 2)
    assert await items(watcher) == [1, 2]


async def test_a_connection_goes_back_at_times_however_busy_it_is(
    standby: Standby, watcher: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kit.standby, "KEPT_SECONDS_MAX", 0.0)
    await add(standby, 1)
    assert await states(watcher) == ["idle"]


async def test_one_that_fails_undoes_itself_only_and_the_next_begins_anew(
    standby: Standby, watcher: asyncpg.Connection
):
    async def fail() -> None:
        async with standby.transaction() as tx:
            await tx.execute(ADD, {"id": 2})
            raise RuntimeError("no")

    await add(standby, 1)
    with pytest.raises(RuntimeError):
        await fail()
    assert (await items(watcher), await states(watcher)) == ([1], ["idle"])

    await add(standby, 3)
    assert (await items(watcher), await states(watcher)) == ([1, 3], [BEGUN])


async def test_a_commit_that_is_refused_begins_nothing(
    standby: Standby, watcher: asyncpg.Connection
):
    told: list[str] = []

    async def repeat() -> None:
        async with standby.transaction() as tx:
            await tx.execute(ADD, {"id": 1})
            tx.on_commit(lambda: told.append("durable"))

    await repeat()
    with pytest.raises(Exception, match="uq_item"):
        await repeat()
    assert (await items(watcher), await states(watcher), told) == ([1], ["idle"], ["durable"])


async def test_only_so_many_wait_and_each_that_runs_has_its_own(
    standby: Standby, watcher: asyncpg.Connection
):
    async with standby.transaction() as first:
        await first.execute(ADD, {"id": 1})
        async with standby.transaction() as second:
            await second.execute(ADD, {"id": 2})
            await add(standby, 3)

    assert await items(watcher) == [1, 2, 3]
    assert await states(watcher) == ["idle", BEGUN, BEGUN]


async def test_a_session_that_ends_between_two_fails_one_at_most(
    standby: Standby, watcher: asyncpg.Connection
):
    await add(standby, 1)
    await watcher.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        APPLICATION,
    )
    try:
        await add(standby, 2)
    except Unavailable:
        await add(standby, 2)

    assert await items(watcher) == [1, 2]


async def test_closing_the_database_ends_those_that_wait(
    db: Database, standby: Standby, watcher: asyncpg.Connection
):
    await add(standby, 1)
    await db.close()

    async def is_gone() -> bool:
        return await states(watcher) == []

    await until(is_gone)


async def test_work_beside_the_last_writes_undoes_them_when_it_fails(
    standby: Standby, watcher: asyncpg.Connection
):
    done: list[int] = []

    async def write(item: int, work: Callable[[], object]) -> None:
        async with standby.transaction() as tx:
            tx.later(ADD, {"id": item})
            tx.while_writing(work)

    await write(1, lambda: done.append(1))
    with pytest.raises(ZeroDivisionError):
        await write(2, lambda: 1 // 0)

    assert (await items(watcher), done) == ([1], [1])


async def test_work_beside_the_last_writes_goes_with_the_savepoint_that_is_undone(
    standby: Standby,
):
    done: list[int] = []
    async with standby.transaction() as tx:
        tx.while_writing(lambda: done.append(1))
        with pytest.raises(ZeroDivisionError):
            await _undone(tx, lambda: done.append(2))

    assert done == [1]


async def _undone(tx: Transaction, work: Callable[[], object]) -> None:
    async with tx.savepoint():
        tx.while_writing(work)
        raise ZeroDivisionError
