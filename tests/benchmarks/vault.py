"""A vault of its own for a benchmark: a database server, the API, and on demand the opener."""

import asyncio
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import UUID

import asyncpg

from kit.auth import ServiceTokens
from kit.db import new_metadata
from kit.ids import new_id
from kit.migrate import migrate
from onebox import databases
from onebox.ports import free_ports
from onebox.postgres import EmbeddedPostgres
from onebox.services import service_environment, service_named
from tests.benchmarks.cpu import cpu_seconds

MERCHANT = UUID(int=7)
SECRET = secrets.token_hex(32)
PASSWORD = secrets.token_hex(8)
START_SECONDS_MAX = 60.0
TOKEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BenchVault:
    """The API's port, the database as a connection and as a service's URL, the opener, and the
    processes by name.
    """

    port: int
    connection: asyncpg.Connection
    url: str
    opener_socket: Path
    admin_url: str
    pids: dict[str, int]

    def token(self) -> str:
        """A service's token for the API; it lasts five minutes, a benchmark may last longer."""
        return _token(int(time.monotonic() // TOKEN_SECONDS))

    def cpu_seconds(self) -> dict[str, float]:
        """CPU per process so far; the database with all its children."""
        return {name: cpu_seconds([pid]) for name, pid in self.pids.items()}

    async def settle(self) -> None:
        """Writes out what was loaded and leaves the log's segments to be used again: a database
        that has run for a while, not one that was filled a moment ago.
        """
        connection = await asyncpg.connect(self.admin_url)
        await connection.execute("CHECKPOINT", timeout=600)
        await connection.close()


@asynccontextmanager
async def running_vault(*, opener: bool = False) -> AsyncIterator[BenchVault]:
    """Everything is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="lockstock-bench-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "postgres", free_ports(1)[0], PASSWORD)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.push_async_callback(_stop, server)
        await server.start()
        url = await _database(server.url)
        port = free_ports(1)[0]
        environment = _environment(url, folder, port)
        pids = {"database": server.child.pid if server.child else 0}
        if opener:
            argv = ["-m", "inventory_vault", "opener"]
            pids["opener"] = await stack.enter_async_context(_process(argv, environment))
            await _until((folder / "opener.sock").exists)
        argv = ["-m", "tests.benchmarks.reservation_server"]
        pids["api"] = await stack.enter_async_context(_process(argv, environment))
        await _until(lambda: _listens(port))
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        stack.push_async_callback(connection.close)
        yield BenchVault(port, connection, url, folder / "opener.sock", server.url, pids)


@lru_cache(maxsize=1)
def _token(_: int) -> str:
    return ServiceTokens(SECRET).issue("order")


async def add_lot(connection: asyncpg.Connection, units: int) -> tuple[UUID, UUID]:
    """(pool, lot) of a new pool with one lot that says it has so many units."""
    pool, lot = new_id(), new_id()
    async with connection.transaction():
        await connection.execute(_POOL, pool, MERCHANT)
        await connection.execute(_LOT, lot, MERCHANT, pool, units)
        await connection.execute(_TALLY, lot, MERCHANT)
    return pool, lot


def _environment(url: str, folder: Path, port: int) -> dict[str, str]:
    values = {
        "database_url": url,
        "kafka_bootstrap": "127.0.0.1:1",  # neither process speaks to a broker
        "internal_secret": SECRET,
        "port": str(port),
        "opener_socket": str(folder / "opener.sock"),
        "master_key_file": str(folder / "master.key"),
        "audit_folder": str(folder / "audit"),
        "audit_key_file": str(folder / "audit.key"),
        "fingerprint_key": SECRET,
        "log_level": "ERROR",
    }
    return service_environment(service_named("inventory-vault"), values)


@asynccontextmanager
async def _process(argv: list[str], environment: dict[str, str]) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *argv, env={**os.environ, **environment}
    )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _database(admin_url: str) -> str:
    service = service_named("inventory-vault")
    admin = await databases.connect(admin_url)
    try:
        await databases.ensure_role(admin, service, PASSWORD)
        await databases.ensure_database(admin, service, name=service.database)
    finally:
        await admin.close()
    url = databases.service_url(admin_url, service, PASSWORD, database=service.database)
    await migrate(service.package, url, new_metadata())
    return url


async def _stop(server: EmbeddedPostgres) -> None:
    with suppress(Exception):
        await server.stop()


async def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit("a process of the vault did not start; its words stand above")
        await asyncio.sleep(0.1)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


_POOL = "INSERT INTO pool (id, merchant_id, name, unit_kind) VALUES ($1, $2, 'bench', 'code')"
_LOT = (
    "INSERT INTO lot (id, merchant_id, pool_id, state, size, has_stock, unit_cost, currency, "
    "supplier)"
    " VALUES ($1, $2, $3, 'on_shelf', $4, true, 1000, 'CNY', 'bench')"
)
_TALLY = "INSERT INTO lot_tally (lot_id, merchant_id) VALUES ($1, $2)"
