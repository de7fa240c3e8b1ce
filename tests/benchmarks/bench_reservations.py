"""Reservations per second over HTTP on one hot product, as ratios within one run.

(a) against an empty POST with the same body on the same server; (b) against the SKIP LOCKED design
over the same HTTP stack, both after so many sales; (c) with a large stock against a small one; (d)
the 99th percentile at half of the peak load. Goals: performance.md's 0.75, 20, 0.9 and 10 ms.

BENCH_SALES, BENCH_STOCK and BENCH_SECONDS change the size; the defaults are what the goals speak of
except for the stock, which is 1 million.
"""

import asyncio
import itertools
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from kit.auth import ServiceTokens
from kit.db import new_metadata
from kit.ids import new_id
from kit.migrate import migrate
from onebox import databases
from onebox.ports import free_ports
from onebox.postgres import EmbeddedPostgres
from onebox.services import service_environment, service_named
from tests.benchmarks.load import Outcome, request_bytes, run_load
from tests.benchmarks.reservation_server import MERCHANT
from tests.benchmarks.results import save, say

CALLERS = 64
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
SALES = int(os.environ.get("BENCH_SALES", "100000"))
STOCK = int(os.environ.get("BENCH_STOCK", "1000000"))
SMALL_STOCK = 40_000
SECRET = secrets.token_hex(32)
PASSWORD = secrets.token_hex(8)


async def run() -> None:
    folder = Path(tempfile.mkdtemp(prefix="lockstock-bench-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "postgres", free_ports(1)[0], PASSWORD)
    try:
        await server.start()
        url = await _database(server.url)
        async with _api(url, folder) as port:
            figures = await _measure(port, url)
        for name, value in figures.items():
            say(f"{name:46} {value}")
        say(f"written to {save('reservations', figures)}")
    finally:
        with suppress(Exception):
            await server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(port: int, url: str) -> dict[str, Any]:
    token = ServiceTokens(SECRET).issue("order")
    say(f"stocking {STOCK:,} units (and as many rows for the old design)")
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    big, small = await _stock(connection, STOCK), await _stock(connection, SMALL_STOCK)
    await _stock_rows(connection, big)
    loads = {
        "empty": _requests("/bench/empty", big, token),
        "lots": _requests("/v1/reservations", big, token),
        "small": _requests("/v1/reservations", small, token),
        "skip": _requests("/bench/skip-locked", big, token),
    }
    for warm in ("empty", "small"):
        await run_load(port, loads[warm], callers=CALLERS, seconds=1)
    say(f"selling {SALES:,} units each way first")
    await _sell(port, big, token)
    await _sell_rows(connection, big)
    outcomes = {
        name: await run_load(port, load, callers=CALLERS, seconds=SECONDS)
        for name, load in loads.items()
    }
    for name, outcome in outcomes.items():
        if set(outcome.statuses) != {201}:
            raise SystemExit(f"{name}: answers were {dict(outcome.statuses)}")
    half = outcomes["lots"].per_second / 2
    paced = await run_load(port, loads["lots"], callers=CALLERS, seconds=SECONDS, per_second=half)
    sold_twice = await connection.fetchval(
        "SELECT count(*) - count(DISTINCT (lot_id, seq)) FROM allocation"
    )
    await connection.close()
    return _figures(outcomes, paced, sold_twice)


def _figures(outcomes: dict[str, Outcome], paced: Outcome, sold_twice: int) -> dict[str, Any]:
    rates = {name: outcome.per_second for name, outcome in outcomes.items()}
    return {
        "empty POST, per second": round(rates["empty"]),
        "reservations, per second": round(rates["lots"]),
        "skip-locked design, per second": round(rates["skip"]),
        "ratio to the empty POST (goal 0.75)": round(rates["lots"] / rates["empty"], 2),
        "ratio to skip-locked (goal 20)": round(rates["lots"] / rates["skip"], 1),
        f"{STOCK:,} units vs {SMALL_STOCK:,} (goal 0.9)": round(rates["lots"] / rates["small"], 2),
        "p99 at half load, ms (goal 10)": round(paced.percentile(0.99) * 1000, 1),
        "p50 at half load, ms": round(paced.percentile(0.5) * 1000, 1),
        "units allocated twice": sold_twice,
    }


def _requests(path: str, pool: UUID, token: str) -> Callable[[], bytes]:
    run_id, numbers = secrets.token_hex(4), itertools.count()

    def request() -> bytes:
        body = orjson.dumps(
            {
                "reference": f"b-{run_id}-{next(numbers)}",
                "lines": [{"pool_id": str(pool), "quantity": 1}],
            }
        )
        return request_bytes(path, body, token, str(MERCHANT))

    return request


async def _sell(port: int, pool: UUID, token: str) -> None:
    """SALES reservations of one unit through the API."""
    load, sold = _requests("/v1/reservations", pool, token), 0
    while sold < SALES:
        outcome = await run_load(port, load, callers=CALLERS, seconds=3)
        sold += outcome.statuses[201]
        say(f"  {sold:,} of {SALES:,}")


async def _stock(connection: asyncpg.Connection, units: int) -> UUID:
    """A pool with one lot of `units` rows as an import writes them; nothing here opens a box."""
    pool, lot = new_id(), new_id()
    async with connection.transaction():
        await connection.execute(_POOL, pool, MERCHANT)
        await connection.execute(_LOT, lot, MERCHANT, pool, units)
        await connection.execute(_TALLY, lot, MERCHANT)
        await connection.execute(_UNITS, lot, MERCHANT, units, timeout=600)
    # The bulk load's own cleaning up is not what is measured.
    await connection.execute("VACUUM (ANALYZE) unit", timeout=600)
    return pool


async def _stock_rows(connection: asyncpg.Connection, pool: UUID) -> None:
    await connection.execute(_OLD_DESIGN)
    await connection.execute(
        "INSERT INTO bench_unit (pool_id) SELECT $1 FROM generate_series(1, $2::int)", pool, STOCK
    )
    await connection.execute("ANALYZE bench_unit")


async def _sell_rows(connection: asyncpg.Connection, pool: UUID) -> None:
    """SALES units of the old design: each row updated once, vacuum not come yet, as on a busy
    day.
    """
    for _ in range(SALES // 1000):
        await connection.execute(
            "UPDATE bench_unit SET state = 'reserved', reservation_id = $2 WHERE id IN "
            "(SELECT id FROM bench_unit WHERE pool_id = $1 AND state = 'available' "
            "ORDER BY id LIMIT 1000)",
            pool,
            new_id(),
        )


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


@asynccontextmanager
async def _api(url: str, folder: Path) -> AsyncIterator[int]:
    """The vault's API (with the benchmark's routes) as a process of its own; yields its port."""
    port = free_ports(1)[0]
    values = {
        "database_url": url,
        "kafka_bootstrap": "127.0.0.1:1",  # the API alone speaks to no broker
        "internal_secret": SECRET,
        "port": str(port),
        "opener_socket": str(folder / "opener.sock"),
        "master_key_file": str(folder / "master.key"),
        "fingerprint_key": SECRET,
    }
    service = service_named("inventory-vault")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.reservation_server",
        env={**os.environ, **service_environment(service, values)},
    )
    try:
        await _listening(port, process)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    for _ in range(300):
        if process.returncode is not None:
            raise SystemExit("the API did not start; its words stand above")
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise SystemExit("the API did not listen within 30 seconds")


_POOL = "INSERT INTO pool (id, merchant_id, name, unit_kind) VALUES ($1, $2, 'bench', 'code')"
_LOT = (
    "INSERT INTO lot (id, merchant_id, pool_id, state, size, has_stock, unit_cost, currency, "
    "supplier)"
    " VALUES ($1, $2, $3, 'on_shelf', $4, true, 1000, 'CNY', 'bench')"
)
_TALLY = "INSERT INTO lot_tally (lot_id, merchant_id) VALUES ($1, $2)"
_UNITS = """
    INSERT INTO unit (lot_id, seq, unit_id, merchant_id, nonce, box, mask, fingerprint)
    SELECT $1::uuid, n, gen_random_uuid(), $2::uuid, substr(sha256(n::text::bytea), 1, 24),
      decode(repeat('ab', 272), 'hex'), '12****89', sha256(($1::text || n)::bytea)
    FROM generate_series(1, $3::int) AS n
"""
_OLD_DESIGN = """
    CREATE TABLE bench_reservation (
      id uuid PRIMARY KEY, merchant_id uuid NOT NULL, reference text NOT NULL,
      UNIQUE (merchant_id, reference));
    CREATE TABLE bench_unit (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, pool_id uuid NOT NULL,
      state text NOT NULL DEFAULT 'available', reservation_id uuid)
      WITH (fillfactor = 80, autovacuum_enabled = false);
    CREATE INDEX ON bench_unit (pool_id, id) WHERE state = 'available';
"""
