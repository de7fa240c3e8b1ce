"""Transactions one after the other: what each keeps, and what one that fails leaves the next."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

import kit.chain
from kit.chain import Chain
from kit.db import Database
from kit.errors import Unavailable
from tests.kit.begun.items import ADD, APPLICATION, items, open_database, states


def yes() -> bool:
    return True


def no() -> bool:
    return False


@pytest.fixture(autouse=True)
def however_busy_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.chain, "SECONDS_MAX", 60.0)


@pytest.fixture
async def db(database_url: str, watcher: asyncpg.Connection) -> AsyncIterator[Database]:
    made = open_database(database_url, pool_size=2)
    yield made
    await made.close()


async def add(chain: Chain, item: int, another: bool) -> None:
    async with chain.transaction(yes if another else no) as tx:
        await tx.execute(ADD, {"id": item})


async def test_the_next_transaction_begins_with_the_commit_while_there_is_another(
    db: Database, watcher: asyncpg.Connection
):
    chain = Chain(db)

    await add(chain, 1, another=True)
    assert (await items(watcher), await states(watcher)) == ([1], ["idle in transaction"])
    await add(chain, 2, another=True)
    assert (await items(watcher), await states(watcher)) == ([1, 2], ["idle in transaction"])
    await add(chain, 3, another=False)
    assert (await items(watcher), await states(watcher)) == ([1, 2, 3], ["idle"])


async def test_after_a_long_one_the_next_begins_by_itself_so_that_others_get_its_locks(
    db: Database, watcher: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
):
    chain = Chain(db)
    monkeypatch.setattr(kit.chain, "SECONDS_MAX", 0.0)

    await add(chain, 1, another=True)
    assert (await items(watcher), await states(watcher)) == ([1], ["idle"])


async def test_one_that_fails_undoes_itself_only_and_the_next_begins_anew(
    db: Database, watcher: asyncpg.Connection
):
    chain = Chain(db)

    async def fail() -> None:
        async with chain.transaction(yes) as tx:
            await tx.execute(ADD, {"id": 2})
            raise RuntimeError("no")

    await add(chain, 1, another=True)
    with pytest.raises(RuntimeError):
        await fail()
    assert (await items(watcher), await states(watcher)) == ([1], ["idle"])

    await add(chain, 3, another=False)
    assert await items(watcher) == [1, 3]


async def test_a_commit_that_is_refused_begins_nothing(db: Database, watcher: asyncpg.Connection):
    chain, told = Chain(db), []

    async def repeat() -> None:
        async with chain.transaction(yes) as tx:
            await tx.execute(ADD, {"id": 1})
            tx.on_commit(lambda: told.append("durable"))

    await add(chain, 1, another=True)
    with pytest.raises(Exception, match="uq_item"):
        await repeat()
    assert (await items(watcher), await states(watcher), told) == ([1], ["idle"], [])

    await add(chain, 2, another=False)
    assert await items(watcher) == [1, 2]


async def test_a_session_that_ends_between_two_fails_one_and_no_more(
    db: Database, watcher: asyncpg.Connection
):
    chain = Chain(db)
    await add(chain, 1, another=True)
    await watcher.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        APPLICATION,
    )

    with pytest.raises(Unavailable):
        await add(chain, 2, another=True)
    await add(chain, 3, another=False)

    assert await items(watcher) == [1, 3]


async def test_two_at_once_have_a_connection_each(db: Database, watcher: asyncpg.Connection):
    chain, both = Chain(db), asyncio.Barrier(2)

    async def meet(item: int) -> None:
        async with chain.transaction(no) as tx:
            await tx.execute(ADD, {"id": item})
            await both.wait()

    await add(chain, 1, another=True)
    await asyncio.gather(meet(2), meet(3))

    assert (await items(watcher), await states(watcher)) == ([1, 2, 3], ["idle", "idle"])
