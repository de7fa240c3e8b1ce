"""Transactions one after the other, where the next one's work waits while one commits.

Work that calls wait for in a queue is a chain of transactions on one connection. COMMIT AND CHAIN
begins the next one with the commit: a round trip less per transaction, and no connection to fetch
and give back.
"""
# ruff: noqa: SLF001 - with kit.db it is one mechanism, in two files

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from kit.db import _STATEMENTS, Database, Transaction
from kit.db_errors import driver_errors
from kit.statements import Statements

SECONDS_MAX = 0.05
"""After a longer transaction the next one begins by itself: whoever waited for its locks has the
time of that round trip to take them, and does not wait for another long one.
"""


class Chain:
    """As `Database.transaction`, each begun with the commit of the one before, if there is another.

    While nothing waits it holds no connection. Not for a database that guards merchants: for whom
    the next transaction acts is not known when it begins.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        # In a transaction that is begun and empty.
        self._begun: AsyncConnection | None = None

    @asynccontextmanager
    async def transaction(self, another: Callable[[], bool]) -> AsyncIterator[Transaction]:
        """`another()` is asked at the commit: who says yes comes again at once, whatever becomes of
        this one. Raises as `Database.transaction`; the next one then begins by itself.
        """
        with driver_errors():
            begun, self._begun = self._begun, None
            connection = begun or await self._db._engine.connect()
            statements: Statements = connection.info[_STATEMENTS]
            tx, started = Transaction(connection), time.perf_counter()

            def hands_on() -> bool:
                return time.perf_counter() - started < SECONDS_MAX and another()

            try:
                async with statements.chained(is_begun=begun is not None, another=hands_on):
                    yield tx
                    await self._db.wind_up(tx)
                if statements.is_in_transaction:
                    self._begun = connection
            finally:
                if self._begun is not connection:
                    await connection.close()
            tx._committed()
