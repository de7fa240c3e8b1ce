"""Transactions that are begun before they are needed.

A call that comes alone pays for a connection fetched and given back and for BEGIN, which are three
steps of its seven. So the COMMIT of one transaction begins the next one, which waits for its work:
it is empty, so it holds no lock, no snapshot and nothing back from VACUUM. Its own `now()` would be
that of its beginning; the clock of this suite is `clock_timestamp()`.
"""
# ruff: noqa: SLF001 - with kit.db it is one mechanism, in two files

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.db import _STATEMENTS, Database, Transaction, _driver_errors
from kit.statements import Statements

IDLE_SECONDS_MAX = 1.0
"""Nothing came: the connection goes back. The server cuts it off after 5 s in a transaction."""
KEPT_SECONDS_MAX = 60.0
"""Then the connection goes back once, however busy it is: the pool makes a new one at times."""
KEPT_MAX = 2
"""Connections that wait. More at once are fetched and given back."""


def at_hand(db: Database) -> Callable[[], AbstractAsyncContextManager[Transaction]]:
    """`Standby(db).transaction`, where the database allows one, else its own."""
    return db.transaction if db.guards_merchants else Standby(db).transaction


class Standby:
    """As `Database.transaction`, with a connection at hand that is in a transaction already.

    Not for a database that guards merchants: for whom the next transaction acts is not known when
    it begins. After an error the next one begins by itself.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        # Each in a transaction that is begun and empty; until when it is kept; when it goes back.
        self._begun: list[tuple[AsyncConnection, float, asyncio.TimerHandle]] = []
        self._returning: set[asyncio.Task[None]] = set()
        db.before_close.append(self.close)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Raises as `Database.transaction`."""
        with _driver_errors():
            connection, until = self._take()
            is_begun = connection is not None
            if connection is None:
                connection = await self._db._engine.connect()
            statements: Statements = connection.info[_STATEMENTS]
            tx, is_kept = Transaction(connection), False
            try:
                async with statements.chained(
                    is_begun=is_begun, another=lambda: self._has_room(until)
                ):
                    yield tx
                    await self._db.wind_up(tx)
                is_kept = statements.is_in_transaction
            finally:
                if is_kept:
                    self._keep(connection, until)
                else:
                    await connection.close()
            tx._committed()

    async def close(self) -> None:
        """All connections go back."""
        while self._begun:
            connection, _, timer = self._begun.pop()
            timer.cancel()
            await self._give_back(connection)
        if self._returning:
            await asyncio.wait(self._returning)

    def _take(self) -> tuple[AsyncConnection | None, float]:
        while self._begun:
            connection, until, timer = self._begun.pop()
            timer.cancel()
            statements: Statements = connection.info[_STATEMENTS]
            if statements.is_in_transaction:
                return connection, until
            self._return(connection)  # the server went away, and took the transaction with it
        return None, time.monotonic() + KEPT_SECONDS_MAX

    def _has_room(self, until: float) -> bool:
        return len(self._begun) < KEPT_MAX and time.monotonic() < until

    def _keep(self, connection: AsyncConnection, until: float) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(IDLE_SECONDS_MAX, self._idle, connection)
        self._begun.append((connection, until, timer))

    def _idle(self, connection: AsyncConnection) -> None:
        self._begun = [it for it in self._begun if it[0] is not connection]
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
