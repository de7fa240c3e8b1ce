"""Transactions that are begun before they are needed, and connections at hand to read by.

A call that comes alone pays for a connection fetched and given back and for BEGIN, which are three
steps of its seven. So the COMMIT of one transaction begins the next one, which waits for its work:
it is empty, so it holds no lock, no snapshot and nothing back from VACUUM. Its own `now()` would be
that of its beginning; the clock of this suite is `clock_timestamp()`. What only reads needs no
transaction at all, but a connection.
"""
# ruff: noqa: SLF001 - with kit.db it is one mechanism, in two files

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.db import _STATEMENTS, Database, Transaction
from kit.db_errors import driver_errors
from kit.statements import Statements

IDLE_SECONDS_MAX = 1.0
"""Nothing came: the connection goes back. The server cuts it off after 5 s in a transaction."""
KEPT_SECONDS_MAX = 60.0
"""Then the connection goes back once, however busy it is: the pool makes a new one at times."""
KEPT_MAX = 2
"""Connections that wait. More at once are fetched and given back."""

_Held = tuple[AsyncConnection, bool, Callable[[], bool]]
"""A connection; whether it was kept; asks whether there is room to keep it."""


def at_hand(db: Database) -> Callable[[], AbstractAsyncContextManager[Transaction]]:
    """`Standby(db).transaction`, where the database allows one, else its own."""
    return db.transaction if db.guards_merchants else Standby(db).transaction


class Standby:
    """As `Database`, with connections at hand: for `transaction` such as are in one already, for
    `read` such as are in none.

    Not for a database that guards merchants: for whom the next transaction acts is not known when
    it begins. After an error the next one begins by itself.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._begun = _Kept(lambda it: it.is_in_transaction)
        self._reading = _Kept(lambda it: it.is_idle)
        db.before_close.append(self.close)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Raises as `Database.transaction`."""
        async with self._connection(self._begun) as (connection, is_kept, has_room):
            statements: Statements = connection.info[_STATEMENTS]
            tx = Transaction(connection)
            async with statements.chained(is_begun=is_kept, another=has_room):
                yield tx
                await self._db.wind_up(tx)
        tx._committed()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """As `Database.read`."""
        async with self._connection(self._reading) as (connection, _, _):
            yield Transaction(connection)

    async def close(self) -> None:
        """All connections go back."""
        await self._begun.close()
        await self._reading.close()

    @asynccontextmanager
    async def _connection(self, kept: "_Kept") -> AsyncIterator[_Held]:
        """One of those kept, or a new one. After an error it goes back, else it is kept, if it is
        fit and there is room.
        """
        with driver_errors():
            connection, until = kept.take()
            is_kept, is_well = connection is not None, False
            if connection is None:
                connection = await self._db._engine.connect()
            try:
                yield connection, is_kept, lambda: kept.has_room(until)
                is_well = True
            finally:
                if not (is_well and kept.keep(connection, until)):
                    await connection.close()


class _Kept:
    """Connections that wait for their next use, each with the timer of its way back to the pool.
    `is_fit`: whether one can be used again as it is.
    """

    def __init__(self, is_fit: Callable[[Statements], bool]) -> None:
        self._is_fit = is_fit
        # Until when it is used again; when it goes back.
        self._waiting: list[tuple[AsyncConnection, float, asyncio.TimerHandle]] = []
        self._returning: set[asyncio.Task[None]] = set()

    def take(self) -> tuple[AsyncConnection | None, float]:
        """One, if there is one, and until when it may be kept."""
        while self._waiting:
            connection, until, timer = self._waiting.pop()
            timer.cancel()
            if self._is_fit(connection.info[_STATEMENTS]):
                return connection, until
            self._return(connection)  # the server went away, and took the transaction with it
        return None, time.monotonic() + KEPT_SECONDS_MAX

    def has_room(self, until: float) -> bool:
        return len(self._waiting) < KEPT_MAX and time.monotonic() < until

    def keep(self, connection: AsyncConnection, until: float) -> bool:
        """False when it is not kept. One that is in a transaction got its place at the commit."""
        statements: Statements = connection.info[_STATEMENTS]
        if not self._is_fit(statements) or (statements.is_idle and not self.has_room(until)):
            return False
        loop = asyncio.get_running_loop()
        timer = loop.call_later(IDLE_SECONDS_MAX, self._idle, connection)
        self._waiting.append((connection, until, timer))
        return True

    async def close(self) -> None:
        while self._waiting:
            connection, _, timer = self._waiting.pop()
            timer.cancel()
            await self._give_back(connection)
        if self._returning:
            await asyncio.wait(self._returning)

    def _idle(self, connection: AsyncConnection) -> None:
        self._waiting = [it for it in self._waiting if it[0] is not connection]
        self._return(connection)

    def _return(self, connection: AsyncConnection) -> None:
        task = asyncio.get_running_loop().create_task(self._give_back(connection))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _give_back(self, connection: AsyncConnection) -> None:
        statements: Statements = connection.info[_STATEMENTS]
        try:
            with suppress(DBAPIError):  # gone already: the pool makes another one
                await statements.end_empty()
        finally:
            await connection.close()
