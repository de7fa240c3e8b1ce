"""A database that is gone without a word: no packet comes back, and nobody closes a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from kit import statements
from kit.db import Database

pytestmark = pytest.mark.timeout(60)


class Line:
    """Between a client and its server, until it goes dead: then it swallows all that is said, and
    takes new calls that lead nowhere.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._tasks = set[asyncio.Task[None]]()
        self._writers = list[asyncio.StreamWriter]()
        self.is_dead = False

    async def open(self) -> int:
        """The port to call."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(w.wait_closed() for w in self._writers), return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self.is_dead:
            self._begin(self._pass_on(reader, None))
            return
        from_server, to_server = await asyncio.open_connection(*self._target)
        self._writers.append(to_server)
        self._begin(self._pass_on(reader, to_server))
        self._begin(self._pass_on(from_server, writer))

    def _begin(self, work: Any) -> None:
        self._tasks.add(asyncio.create_task(work))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None
    ) -> None:
        with suppress(ConnectionError):
            while said := await reader.read(65_536):
                if writer is not None and not self.is_dead:
                    writer.write(said)
                    await writer.drain()
            if writer is not None and not self.is_dead:
                writer.close()


@pytest.fixture
async def line(empty_database: str) -> AsyncIterator[Line]:
    address = urlsplit(empty_database)
    line = Line(address.hostname or "127.0.0.1", address.port or 5432)
    yield line
    await line.close()


@pytest.fixture
async def db(empty_database: str, line: Line) -> AsyncIterator[Database]:
    address = urlsplit(empty_database)
    port = await line.open()
    login = address.netloc.rpartition("@")[0]
    url = f"postgresql+asyncpg://{login}@127.0.0.1:{port}{address.path}"
    db = Database(url, application_name="test", pool_size=1)
    yield db
    await asyncio.wait_for(db.close(), 20)


async def test_a_copy_that_is_cancelled_ends_though_the_database_is_silent(
    db: Database, line: Line, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(statements, "UNDO_SECONDS", 0.5)
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"1\n"
        begun.set()
        await asyncio.Event().wait()

    async def copy() -> None:
        async with db.transaction() as tx:
            await tx.execute(text("CREATE TABLE number (value integer)"))
            driver = (await tx.connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.copy_to_table("number", source=endless())

    work = asyncio.create_task(copy())
    await begun.wait()
    line.is_dead = True
    work.cancel()
    done, _ = await asyncio.wait({work}, timeout=15)

    assert done == {work}
    assert work.cancelled()


async def _fail_amid_silence(db: Database, line: Line) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("SELECT 1"))
        line.is_dead = True
        raise LookupError


async def test_after_an_error_a_silent_database_holds_nobody_up_and_is_called_anew(
    db: Database, line: Line, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(statements, "UNDO_SECONDS", 0.5)

    with pytest.raises(LookupError):
        await asyncio.wait_for(_fail_amid_silence(db, line), 15)
    line.is_dead = False

    async with db.transaction() as tx:
        assert (await tx.execute(text("SELECT 7 AS seven"))).one().seven == 7
