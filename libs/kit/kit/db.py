"""The database: one transaction per entrance, committed before the answer, limits on everything."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    CursorResult,
    DateTime,
    Executable,
    MetaData,
    TextClause,
    event,
    func,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, _ConnectionFairy

from kit import tenancy
from kit.db_errors import connected, driver_errors
from kit.loop import meanwhile
from kit.statements import (
    NO_VIOLATIONS,
    Answer,
    Check,
    Read,
    Rows,
    Statements,
    Violations,
    Write,
    fitting,
)

LOCK_TIMEOUT_MS = 2_000
STATEMENT_TIMEOUT_MS = 10_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_SECONDS = 5
POOL_WAIT_SECONDS = 5

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_STATEMENTS = "kit.statements"


def new_metadata() -> MetaData:
    """MetaData whose constraints get predictable names; repositories map names to domain errors."""
    return MetaData(naming_convention=_NAMES)


def clock_time(name: str) -> Column[datetime]:
    """A column that says when, by the database's clock, unless the row says it itself."""
    return Column(
        name, DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()
    )


class Transaction:
    """One database transaction as services see it: statements, savepoints, outgoing events.

    `outgoing` is the outbox's buffer: what `kit.messaging.outbox.add` put there is written by the
    commit hook of `Database`, in this very transaction. `records` is the same for what a service
    writes of its own at the end (the vault's audit log).
    """

    def __init__(self, connection: AsyncConnection, *, acts_for: str | None = None) -> None:
        self.connection = connection
        # Said before the first statement; None: nothing is to be said (any more).
        self._acts_for = acts_for
        self._statements: Statements = connection.info[_STATEMENTS]
        self.outgoing: list[Any] = []
        self.records: list[Any] = []
        self._after_commit: list[Callable[[], None]] = []
        self._writes: list[Write] = []
        self._last_writes: list[Write] = []
        self._beside: list[Callable[[], object]] = []

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any] | Rows:
        """Run a statement of SQLAlchemy Core or `text()`.

        The values of a `text()` go to the driver as they are: name their types in the statement
        (`CAST(:ids AS uuid[])`), `bindparams()` is not looked at.
        """
        await self._be_ready()
        if isinstance(statement, TextClause) and not isinstance(parameters, Sequence):
            return await self._statements.run(statement.text, parameters or {})
        return await self.connection.execute(statement, parameters)

    async def read_together(self, reads: Sequence[Read]) -> list[Answer]:
        """What each of them finds, as one statement: one round trip, one view of the data."""
        await self._be_ready()
        return await self._statements.read_together(reads)

    def later(
        self,
        statement: TextClause,
        parameters: Mapping[str, Any],
        *,
        check: Check | None = None,
        violations: Violations = NO_VIOLATIONS,
    ) -> None:
        """A write nobody needs the answer of: goes to the server with the others like it, before
        the next statement or the commit, whichever comes first. Within a transaction only.

        Together they are one statement: each sees the rows as they were before all of them, and
        they must not write to the same row. `check` is given the number of rows; `violations` name
        the error that is raised for a violated constraint.
        """
        write = Write(statement.text, parameters, check, violations)
        self._writes.append(write)

    def at_commit(self, statement: TextClause, parameters: Mapping[str, Any]) -> None:
        """As `later`, where nothing in this transaction reads it: no statement has to wait for it
        but the last one before the commit.
        """
        self._last_writes.append(Write(statement.text, parameters, None, NO_VIOLATIONS))

    def while_writing(self, work: Callable[[], object]) -> None:
        """Work done while the last writes are under way. What it raises undoes the transaction; a
        savepoint that is undone takes its own along.
        """
        self._beside.append(work)

    async def finish(self) -> None:
        """Sends all that was left for the end; `Database.wind_up` does it."""
        self._writes += self._last_writes
        self._last_writes = []
        if self._beside:
            await meanwhile(self.write(), lambda: [work() for work in self._beside])
        else:
            await self.write()

    async def write(self) -> None:
        """Sends what `later` was given. Raises what its checks raise and violations name."""
        writes, self._writes = self._writes, []
        for together in fitting(writes):
            try:
                count = await self._statements.run_together(
                    [(write.sql, write.parameters) for write in together]
                )
            except IntegrityError as error:
                violated = constraint_of(error) or ""
                for write in together:
                    if violated in write.violations:
                        raise write.violations[violated]() from error
                raise
            if (check := together[-1].check) is not None:
                check(count)

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once this transaction is durable; never on rollback."""
        self._after_commit.append(callback)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that may fail alone: an error undoes statements, events, records, callbacks."""
        events, records = len(self.outgoing), len(self.records)
        callbacks, beside = len(self._after_commit), len(self._beside)
        last = len(self._last_writes)
        await self.write()
        try:
            async with self._statements.savepoint():
                yield
                await self.write()
        except BaseException:
            self._writes.clear()
            del self._last_writes[last:]
            del self._beside[beside:]
            del self.outgoing[events:]
            del self.records[records:]
            del self._after_commit[callbacks:]
            raise

    async def _be_ready(self) -> None:
        """What must be said and written before the next statement."""
        if self._writes:
            await self.write()
        if self._acts_for is not None:
            merchants, self._acts_for = self._acts_for, None
            await self._statements.act_for(merchants)

    def _committed(self) -> None:
        for callback in self._after_commit:
            callback()


class Database:
    """A service's PostgreSQL. Built in app.py; `url` starts with `postgresql+asyncpg://`.

    With `guards_merchants` every transaction and read says for which merchants it acts, see
    kit.tenancy: for those given, else for those the entrance named. `acts_for_outside` is for what
    runs outside of every entrance; a service has nothing there.
    """

    def __init__(
        self,
        url: str,
        *,
        application_name: str,
        pool_size: int = 10,
        guards_merchants: bool = False,
    ) -> None:
        self.url = url
        self.acts_for_outside = tenancy.NOBODY
        self.guards_merchants = guards_merchants
        self.before_commit: list[Callable[[Transaction], Awaitable[None]]] = []
        self.before_close: list[Callable[[], Awaitable[None]]] = []
        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            # The one used last is given first: its plans are made, its memory is warm. In turns,
            # ten connections do each thing for the first time.
            pool_use_lifo=True,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_recycle=1800,
            # BEGIN and COMMIT are ours, see kit.statements; to SQLAlchemy there are none.
            isolation_level="AUTOCOMMIT",
            connect_args={
                "timeout": CONNECT_TIMEOUT_SECONDS,
                "server_settings": {
                    "application_name": application_name,
                    "lock_timeout": str(LOCK_TIMEOUT_MS),
                    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
                    "jit": "off",
                    # Statements are by key, prepared once, and often planned while a table is
                    # still small: a plan that reads it whole would be kept while it grows. Planned
                    # once per connection, an order costs a quarter less of the database.
                    "enable_seqscan": "off",
                    "plan_cache_mode": "force_generic_plan",
                },
            },
        )
        event.listen(self._engine.sync_engine, "do_connect", connected)
        event.listen(self._engine.sync_engine, "connect", _keep_statements)
        event.listen(self._engine.sync_engine, "checkout", _refuse_unfit)

    @asynccontextmanager
    async def transaction(
        self, merchants: Iterable[UUID | None] | None = None
    ) -> AsyncIterator[Transaction]:
        """Commits at the end of the block, rolls back on any error. Acts for `merchants`, if given.

        Raises Unavailable for trouble that passes (locks, connections, deadlocks, shutdown). When
        the commit itself is cut off its outcome is unknown: the caller re-reads by natural key.
        """
        with driver_errors():
            async with self._engine.connect() as connection:
                tx = Transaction(connection)
                async with connection.info[_STATEMENTS].transaction(self._setting(merchants)):
                    yield tx
                    await self.wind_up(tx)
            tx._committed()  # noqa: SLF001 - the two classes are one mechanism

    @asynccontextmanager
    async def read(
        self, merchants: Iterable[UUID | None] | None = None
    ) -> AsyncIterator[Transaction]:
        """Reads outside a transaction (AUTOCOMMIT): each statement sees the newest state. Acts for
        `merchants`, if given.
        """
        with driver_errors():
            async with self._engine.connect() as connection:
                yield Transaction(connection, acts_for=self._setting(merchants))

    @asynccontextmanager
    async def read_unguarded(self) -> AsyncIterator[Transaction]:
        """As `read`, of tables that no merchant's rows are in: nothing is said, so the session acts
        for whomever it did. For kit's own tables only.
        """
        with driver_errors():
            async with self._engine.connect() as connection:
                yield Transaction(connection)

    async def wind_up(self, tx: Transaction) -> None:
        """The last thing before every commit: what services and kit add, and what was left."""
        for hook in self.before_commit:
            await hook(tx)
        await tx.finish()

    async def ping(self) -> None:
        """Raises Unavailable unless the server answers."""
        async with self.read_unguarded() as tx:
            await tx.execute(text("SELECT 1"))

    async def close(self) -> None:
        for give_back in self.before_close:
            await give_back()
        await self._engine.dispose()

    def _setting(self, merchants: Iterable[UUID | None] | None) -> str | None:
        if not self.guards_merchants:
            return None
        if merchants is not None:
            return tenancy.setting_of(merchants)
        named = tenancy.acting()
        return self.acts_for_outside if named is None else named


def constraint_of(error: IntegrityError) -> str | None:
    """The name of the violated constraint, which repositories turn into a domain error."""
    for violation in (error.orig, getattr(error.orig, "__cause__", None)):
        name = getattr(violation, "constraint_name", None)
        if name:
            return str(name)
    return None


def _keep_statements(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    record.info[_STATEMENTS] = Statements(connection.driver_connection)


def _refuse_unfit(
    connection: DBAPIConnection, _: ConnectionPoolEntry, __: _ConnectionFairy
) -> None:
    """A connection that is closed, or still inside a transaction, must never be handed out: the
    pool makes another one instead.
    """
    driver = connection.driver_connection
    if driver is not None and (driver.is_closed() or driver.is_in_transaction()):
        raise DisconnectionError("the pooled connection is closed or inside a transaction")
