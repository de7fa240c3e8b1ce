"""Runs `text()` statements on the driver's connection itself; answers look like SQLAlchemy's.

Decision: nearly every statement of the suite is a constant `text()` with values that the driver
takes as they are, and SQLAlchemy's way through execution context, cursor and greenlet costs more
than the driver's own. The price is this file: it also begins and ends transactions, so that both
ways meet on one connection. What is built from tables (`insert(...)`) goes SQLAlchemy's way.
"""

import asyncio
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import asyncpg
from sqlalchemy import Dialect, TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import DBAPIError, IntegrityError

from kit.tenancy import SETTING

PREPARED_MAX = 500
"""Statements kept prepared per connection: above what a service has, so nothing is made twice."""

UNDO_SECONDS = 5.0
"""A rollback takes no time; a connection that does not answer for so long is given up."""

READ_ONLY_STATE = "25006"
"""SQLSTATE of a write to a server, or in a session, that only reads."""

_DIALECT: Dialect = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
_PLACE = re.compile(r"\$(\d+)")
_ROW_COUNT = re.compile(r"(?:SELECT|UPDATE|DELETE|INSERT \d+) (\d+)")
_MERCHANTS = re.compile(r"\*|\{[0-9a-f,-]*\}|")
_ACT_FOR = f"SELECT set_config('{SETTING}', :merchants, false)"
_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


Check = Callable[[int], None]
Violations = Mapping[str, Callable[[], Exception]]
NO_VIOLATIONS: Violations = MappingProxyType({})


class Rows(IteratorResult[Any]):
    """A statement's answer; `rowcount` as the server counted it, -1 where it does not."""

    def __init__(self, columns: SimpleResultMetaData, rows: Iterable[Any], rowcount: int) -> None:
        super().__init__(columns, iter(rows))
        self.rowcount = rowcount


@dataclass(frozen=True, slots=True)
class Read:
    """A SELECT that `Transaction.read_together` sends with others, without a WITH of its own.

    `before`: common table expressions that it selects from, as they stand behind WITH. They may
    write and lock; what all of them read is how things were when the statement began.
    """

    statement: TextClause
    parameters: Mapping[str, Any]
    before: TextClause | None = None

    @property
    def texts(self) -> tuple[str, str]:
        """What stands before, if anything does, and the SELECT."""
        return self.before.text if self.before is not None else "", self.statement.text


class ForRows:
    """A statement about rows that are given: `{given}` in `sql` is the table of them, with these
    columns. One row travels as plain values, many as an array for each column: an array of one
    costs the driver and the server several times its value.
    """

    def __init__(self, sql: str, **types: str) -> None:
        names = ", ".join(types)
        one = ", ".join(f"CAST(:{name} AS {type_})" for name, type_ in types.items())
        many = ", ".join(f"CAST(:{name} AS {type_}[])" for name, type_ in types.items())
        self._names = tuple(types)
        self._one = text(sql.format(given=f"(VALUES ({one})) AS given({names})"))
        self._many = text(sql.format(given=f"unnest({many}) AS given({names})"))

    def of(self, rows: Sequence[Sequence[Any]]) -> tuple[TextClause, dict[str, Any]]:
        """The statement and its parameters; each row has its values in the columns' order."""
        if len(rows) == 1:
            return self._one, dict(zip(self._names, rows[0], strict=True))
        columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in self._names]
        return self._many, dict(zip(self._names, columns, strict=True))


@dataclass(frozen=True, slots=True)
class Write:
    """A write that waits for company."""

    sql: str
    parameters: Mapping[str, Any]
    check: Check | None
    violations: Violations

    @property
    def is_last(self) -> bool:
        """Of the writes of one statement only the last may have parts, or count its rows."""
        return self.check is not None or self.sql.lstrip().startswith("WITH")


Answer = Sequence[tuple[Any, ...]]
"""The rows of a Read, each with the values of its columns in their order."""


class Statements:
    """One connection of the driver, with its prepared statements and transactions.

    What the driver refuses is raised as SQLAlchemy's IntegrityError or DBAPIError.
    """

    def __init__(self, driver: asyncpg.Connection) -> None:
        self._driver = driver
        self._savepoints = 0
        # For whom the session says it acts; None: not known.
        self._session_acts_for: str | None = None
        self._prepared: dict[str, tuple[Any, tuple[str, ...], SimpleResultMetaData]] = {}

    async def run(self, sql: str, parameters: Mapping[str, Any]) -> Rows:
        """`sql` with `:name` places for `parameters`."""
        with self._sqlalchemy_errors(sql):
            known = self._prepared.get(sql)
            prepared, names, columns = known or await self._prepare(sql, *_numbered_places(sql))
            rows, count = await self._fetch(prepared, [parameters[name] for name in names])
        return Rows(columns, rows, count)

    async def run_together(self, parts: Sequence[tuple[str, Mapping[str, Any]]]) -> int:
        """Writes that need nothing of each other, as one statement; answers the row count of the
        last one. Only that one may begin with WITH.
        """
        if len(parts) == 1:
            return (await self.run(*parts[0])).rowcount
        sql, places = _joined(tuple(sql for sql, _ in parts))
        with self._sqlalchemy_errors(sql):
            known = self._prepared.get(sql)
            prepared, _, _ = known or await self._prepare(sql, sql, ())
            values = [parts[part][1][name] for part, name in places]
            return (await self._fetch(prepared, values))[1]

    async def read_together(self, reads: Sequence[Read]) -> list[Answer]:
        """All of them as one statement; the rows of each."""
        sql, places = _united(tuple(read.texts for read in reads))
        with self._sqlalchemy_errors(sql):
            known = self._prepared.get(sql)
            prepared, _, _ = known or await self._prepare(sql, sql, ())
            values = [reads[part].parameters[name] for part, name in places]
            rows, _ = await self._fetch(prepared, values)
        answers: list[list[tuple[Any, ...]]] = [[] for _ in reads]
        for part, row in rows:
            answers[part].append(row)
        return [*answers]

    async def act_for(self, merchants: str) -> None:
        """Outside a transaction: from now on the session acts for these, see kit.tenancy."""
        if merchants == self._session_acts_for:
            return
        # A task that is cancelled here leaves it open what the session says.
        self._session_acts_for = None
        await self.run(_ACT_FOR, {"merchants": merchants})
        self._session_acts_for = merchants

    @asynccontextmanager
    async def transaction(self, merchants: str | None = None) -> AsyncIterator[None]:
        """Commits at the end of the block; any error rolls back, and so does a cancelled task.

        It acts for `merchants` (kit.tenancy), which travels with BEGIN and ends with it.
        """
        begin = "BEGIN"
        if merchants is not None:
            begin = f"BEGIN; SET LOCAL {SETTING} TO '{_harmless(merchants)}'"
        async with self._part(begin, lambda: "COMMIT", "ROLLBACK"):
            yield

    @asynccontextmanager
    async def chained(self, *, is_begun: bool, another: Callable[[], bool]) -> AsyncIterator[None]:
        """As `transaction`, begun already or not. If there is `another` when it commits, that one
        begins with the commit: one round trip for both.
        """
        begin = None if is_begun else "BEGIN"
        async with self._part(
            begin, lambda: "COMMIT AND CHAIN" if another() else "COMMIT", "ROLLBACK"
        ):
            yield

    @property
    def is_in_transaction(self) -> bool:
        return not self._driver.is_closed() and bool(self._driver.is_in_transaction())

    @property
    def is_idle(self) -> bool:
        return not self._driver.is_closed() and not self._driver.is_in_transaction()

    async def end_empty(self) -> None:
        """Ends a transaction that was begun and not used."""
        if self.is_in_transaction:
            with self._sqlalchemy_errors("ROLLBACK"):
                await self._driver.execute("ROLLBACK")

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part of the transaction that may fail alone."""
        self._savepoints += 1
        name = f"part_{self._savepoints}"
        undo = f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"
        release = f"RELEASE SAVEPOINT {name}"
        async with self._part(f"SAVEPOINT {name}", lambda: release, undo):
            yield

    @asynccontextmanager
    async def _part(
        self, begin: str | None, end: Callable[[], str], undo: str
    ) -> AsyncIterator[None]:
        try:
            if begin:
                # Inside: a task that is cancelled here may have begun all the same.
                with self._sqlalchemy_errors(begin):
                    await self._driver.execute(begin)
            yield
        except BaseException:
            with suppress(*_DRIVER_ERRORS, OSError):  # the error that led here is the one to tell
                await _uncut(self._undo(undo))
            raise
        done = end()
        with self._sqlalchemy_errors(done):
            await _uncut(self._driver.execute(done))

    async def _undo(self, sql: str) -> None:
        """Within a limit: after a statement that was cancelled (a COPY, say) the driver waits for
        the server to confirm that, and a server that is gone without a word never does.
        """
        try:
            await self._driver.execute(sql, timeout=UNDO_SECONDS)
        except TimeoutError:
            # The server undoes what a connection leaves that is gone.
            self._driver.terminate()
            raise

    async def _fetch(self, prepared: Any, values: Sequence[Any]) -> tuple[Iterable[Any], int]:
        try:
            rows = await prepared.fetch(*values)
        except asyncpg.InvalidCachedStatementError:
            self._prepared.clear()
            raise
        counted = _ROW_COUNT.match(prepared.get_statusmsg() or "")
        return rows, int(counted[1]) if counted else -1

    async def _prepare(
        self, sql: str, numbered: str, names: tuple[str, ...]
    ) -> tuple[Any, tuple[str, ...], SimpleResultMetaData]:
        prepared = await self._driver.prepare(numbered)
        columns = SimpleResultMetaData([column.name for column in prepared.get_attributes()])
        if len(self._prepared) >= PREPARED_MAX:
            self._prepared.clear()
        self._prepared[sql] = (prepared, names, columns)
        return self._prepared[sql]

    @contextmanager
    def _sqlalchemy_errors(self, sql: str) -> Iterator[None]:
        try:
            yield
        except _DRIVER_ERRORS as error:
            violated = isinstance(error, asyncpg.IntegrityConstraintViolationError)
            kind = IntegrityError if violated else DBAPIError
            if getattr(error, "sqlstate", None) == READ_ONLY_STATE:
                # Whoever comes next shall have a connection to whatever is the primary by then.
                self._driver.terminate()
            closed = self._driver.is_closed()
            # Values may be what must not be written down: the error does not carry them.
            raise kind(sql, None, error, connection_invalidated=closed) from error


def _harmless(merchants: str) -> str:
    """SET takes no parameters: what is written into it has the form of a list of ids."""
    if not _MERCHANTS.fullmatch(merchants):
        raise ValueError("whom a transaction acts for is not what kit makes of ids")
    return merchants


async def _uncut(ending: Awaitable[object]) -> None:
    """A caller that hangs up cuts no commit in the middle, and no connection goes back before."""
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def fitting(writes: Sequence[Write]) -> list[list[Write]]:
    """The writes by the statement they go with: no text twice in one, and one that must be last."""
    statements: list[list[Write]] = []
    for write in writes:
        fits = statements and not any(
            write.sql == other.sql or (write.is_last and other.is_last) for other in statements[-1]
        )
        if fits:
            statements[-1].append(write)
        else:
            statements.append([write])
    return [sorted(together, key=lambda write: write.is_last) for together in statements]


@lru_cache(maxsize=2_000)
def _numbered_places(sql: str) -> tuple[str, tuple[str, ...]]:
    """`:name` -> `$1` as SQLAlchemy does it, and the names in the order of their numbers."""
    compiled = text(sql).compile(dialect=_DIALECT)
    return str(compiled), tuple(compiled.positiontup or ())


@lru_cache(maxsize=500)
def _joined(sqls: tuple[str, ...]) -> tuple[str, tuple[tuple[int, str], ...]]:
    """The last with the others as its common table expressions; (part, name) of each `$1` place.

    All of them see the rows as they were before, and PostgreSQL runs them in an order of its own.
    """
    numbered: list[str] = []
    places: list[tuple[int, str]] = []
    for part, sql in enumerate(sqls):
        statement, names = _numbered_places(sql)
        numbered.append(_renumbered(statement.strip(), len(places)))
        places += [(part, name) for name in names]
    *others, last = numbered
    beside = ", ".join(f"beside_{place} AS ({other})" for place, other in enumerate(others))
    own = last.removeprefix("WITH ")
    return f"WITH {beside}" + (f", {own}" if own != last else f" {last}"), tuple(places)


@lru_cache(maxsize=500)
def _united(texts: tuple[tuple[str, str], ...]) -> tuple[str, tuple[tuple[int, str], ...]]:
    """All of them, with the number of the one that each row is of; (part, name) of each place."""
    before: list[str] = []
    united: list[str] = []
    places: list[tuple[int, str]] = []

    def numbered(part: int, sql: str) -> str:
        statement, names = _numbered_places(sql)
        renumbered = _renumbered(statement.strip(), len(places))
        places.extend((part, name) for name in names)
        return renumbered

    for part, (expressions, select) in enumerate(texts):
        if expressions:
            before.append(numbered(part, expressions))
        united.append(
            f"SELECT {part} AS part, ROW(one.*) AS answer FROM ({numbered(part, select)}) AS one"  # noqa: S608 - made of statements
        )
    head = f"WITH {', '.join(before)} " if before else ""
    return head + " UNION ALL ".join(united), tuple(places)


def _renumbered(statement: str, by: int) -> str:
    return _PLACE.sub(lambda place: f"${int(place[1]) + by}", statement)
