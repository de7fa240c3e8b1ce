"""What the driver's errors mean: trouble that passes, or a value that cannot be stored."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from kit.errors import DomainError, ErrorKind, Invalid, Unavailable
from kit.logging import get_logger
from kit.statements import READ_ONLY_STATE

REFUSAL_CHARACTERS_MAX = 300

# SQLSTATE classes and codes after which the same call may succeed: connection trouble, out of
# resources, operator intervention, trouble of its machine, serialization failure, deadlock, lock
# not available, cut off as idle, for reading only (a primary of a moment ago, a full disk).
_TRANSIENT_CLASSES = ("08", "53", "57", "58")
_TRANSIENT_CODES = frozenset({"40001", "40P01", "55P03", "25P03", READ_ONLY_STATE})
_UNSTORABLE_CODES = frozenset({"22021", "22P05", "22003", "22008"})

log = get_logger(__name__)


class Unstorable(Invalid):
    """A value cannot be stored: a NUL character in a text, or a number or date out of range."""

    code = "unstorable_value"


class driver_errors:  # noqa: N801 - reads as a statement: with driver_errors()
    """Turns driver trouble that passes into Unavailable, unstorable values into Invalid."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if error is None or isinstance(error, DomainError):
            return
        if isinstance(error, DBAPIError):
            _refused(error)
        elif isinstance(error, PoolTimeout):
            raise Unavailable("all database connections are in use; try again") from error
        elif _is_connection_trouble(error):
            raise Unavailable("the database cannot be reached; try again") from error


def _refused(error: DBAPIError) -> None:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if error.connection_invalidated or is_transient_state(state):
        raise Unavailable("the database is busy or restarting; try again") from error
    if state in _UNSTORABLE_CODES or _is_named(error.orig, "DataError"):
        # The driver itself could not encode a value: it then wraps its DataError.
        raise Unstorable from error
    if _is_named(error.orig, "InvalidCachedStatement"):
        # It was prepared before a migration, and is prepared anew the next time.
        raise Unavailable("the tables were changed meanwhile; try again") from error
    if not state and not isinstance(error, IntegrityError):
        raise Unavailable("the database does not answer; try again") from error


def _is_named(error: BaseException | None, part: str) -> bool:
    causes = (error, getattr(error, "__cause__", None))
    return any(part in type(cause).__name__ for cause in causes)


def is_transient_state(sqlstate: str) -> bool:
    """True for a SQLSTATE after which the same statement may succeed."""
    return sqlstate[:2] in _TRANSIENT_CLASSES or sqlstate in _TRANSIENT_CODES


def kind_is_transient(error: BaseException) -> bool:
    """True for errors that time heals: what consumers retry without end."""
    return isinstance(error, DomainError) and error.kind in (
        ErrorKind.UNAVAILABLE,
        ErrorKind.LIMITED,
    )


def _is_connection_trouble(error: BaseException) -> bool:
    """Raw errors of asyncpg or the socket, which come while a connection is being made."""
    if isinstance(error, ConnectionError):
        return True
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate and type(error).__module__.startswith("asyncpg"):
        return is_transient_state(str(sqlstate))
    name = type(error).__name__
    # InternalClientError: the server died in the middle of a statement's exchange.
    return type(error).__module__.startswith("asyncpg") and (
        "Connection" in name or name == "InternalClientError"
    )


def connected(
    dialect: Dialect, _: ConnectionPoolEntry, arguments: Sequence[Any], options: dict[str, Any]
) -> DBAPIConnection:
    """A new connection. No answer in time, an unknown host and no way to it pass like a refusal,
    but the driver raises them as the system does. Whatever a server refuses it for (a password that
    is being changed, a database that is being restored), no call and no event is at fault.
    """
    try:
        return dialect.connect(*arguments, **options)
    except OSError as error:
        raise Unavailable("the database cannot be reached; try again") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, dialect.loaded_dbapi.Error) as error:
        log.warning("database_refuses_connection", reason=str(error)[:REFUSAL_CHARACTERS_MAX])
        raise Unavailable("the database takes no connection now; try again") from error
