"""Reservations per second over HTTP on one hot product, as ratios within one run.

(a) against an empty POST with the same body on the same server; (b) against the SKIP LOCKED design
over the same HTTP stack, both after so many sales; (c) with a large stock against a small one; (d)
the 99th percentile at half of the peak load, and that of an empty POST at the same pace: what of it
is the machine's and the load's own. Goals: 0.75, 20, 0.9 and 10 ms. The faster reservations are the
faster is that pace; so (e) the same at a pace that stays: half of what the peak was when the goal
was set.

BENCH_SALES, BENCH_STOCK and BENCH_SECONDS change the size; the defaults are what the goals speak of
except for the stock, which is 1 million (BENCH_STOCK=10000000 takes 10 GB of disk while it runs).
"""

import itertools
import os
import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from kit.ids import new_id
from tests.benchmarks.load import Outcome, request_bytes, run_load
from tests.benchmarks.results import save, say
from tests.benchmarks.vault import MERCHANT, BenchVault, add_lot, running_vault

CALLERS = 64
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
SALES = int(os.environ.get("BENCH_SALES", "100000"))
STOCK = int(os.environ.get("BENCH_STOCK", "1000000"))
SMALL_STOCK = 10_000
SMALL_STOCKS = 10
ROUNDS = 3
PACED_ROUNDS = 7
STEADY_PACE = 1_550
STOCK_BATCH = 1_000_000


async def run() -> None:
    async with running_vault() as vault:
        figures = await _measure(vault)
    for name, value in figures.items():
        say(f"{name:60} {value}")
    say(f"written to {save('reservations', figures)}")


async def _measure(vault: BenchVault) -> dict[str, Any]:
    say(f"stocking {STOCK:,} units (and as many rows for the old design)")
    pools = await stock(vault.connection, [STOCK, *[SMALL_STOCK] * SMALL_STOCKS])
    big, small = pools[:1], pools[1:]
    await _stock_rows(vault.connection, big[0])
    loads = {
        "empty": requests_of("/bench/empty", big, vault),
        "lots": requests_of("/v1/reservations", big, vault),
        "small": requests_of("/v1/reservations", small, vault),
        "skip": requests_of("/bench/skip-locked", big, vault),
    }
    await vault.settle()
    for warm in ("empty", "lots"):
        await run_load(vault.port, loads[warm], callers=CALLERS, seconds=1)
    say(f"selling {SALES:,} units each way first")
    await _sell(vault, loads["lots"])
    await _sell_rows(vault.connection, big[0])
    await vault.settle()
    outcomes: dict[str, Outcome] = {}
    costs: dict[str, float] = {}
    # In turns, so that a disturbance meets all of them.
    for _ in range(ROUNDS):
        for name, load in loads.items():
            before = sum(vault.cpu_seconds().values())
            part = await run_load(vault.port, load, callers=CALLERS, seconds=SECONDS / ROUNDS)
            # The old design may give up waiting for a connection; what it sold counts.
            if set(part.statuses) - ({201, 503} if name == "skip" else {201}):
                raise SystemExit(f"{name}: answers were {dict(part.statuses)}")
            outcomes.setdefault(name, Outcome()).add(part)
            costs[name] = costs.get(name, 0) + sum(vault.cpu_seconds().values()) - before
    paced = await _paced(
        vault,
        {
            "half load, goal 10": (loads["lots"], outcomes["lots"].per_second / 2),
            "an empty POST at that pace": (loads["empty"], outcomes["lots"].per_second / 2),
            f"{STEADY_PACE:,} a second": (loads["lots"], STEADY_PACE),
        },
    )
    sold_twice = await vault.connection.fetchval(
        "SELECT count(*) - count(DISTINCT (lot_id, seq)) FROM allocation"
    )
    return _figures(outcomes, costs, paced, sold_twice)


async def _paced(
    vault: BenchVault, wanted: dict[str, tuple[Callable[[], bytes], float]]
) -> dict[str, list[Outcome]]:
    """Each load at its pace, in turns too. The empty POST says what of the other's tail is the
    machine's; one stall of the machine is the tail of its round, and of no other.
    """
    paced: dict[str, list[Outcome]] = {name: [] for name in wanted}
    for _ in range(PACED_ROUNDS):
        for name, (load, per_second) in wanted.items():
            part = await run_load(
                vault.port, load, callers=CALLERS, seconds=SECONDS / ROUNDS, per_second=per_second
            )
            if set(part.statuses) != {201}:
                raise SystemExit(f"{name}: answers were {dict(part.statuses)}")
            paced[name].append(part)
    return paced


def _figures(
    outcomes: dict[str, Outcome],
    costs: dict[str, float],
    paced: dict[str, list[Outcome]],
    sold_twice: int,
) -> dict[str, Any]:
    rates = {name: outcome.statuses[201] / outcome.seconds for name, outcome in outcomes.items()}
    cpu = {name: cost * 1e6 / len(outcomes[name].latencies) for name, cost in costs.items()}
    return {
        "empty POST, per second": round(rates["empty"]),
        "reservations, per second": round(rates["lots"]),
        "skip-locked design, per second": round(rates["skip"]),
        "ratio to the empty POST (goal 0.75)": round(rates["lots"] / rates["empty"], 2),
        "ratio to skip-locked (goal 20)": round(rates["lots"] / max(rates["skip"], 1), 1),
        f"{STOCK:,} units vs {SMALL_STOCK:,} (goal 0.9)": round(rates["lots"] / rates["small"], 2),
        "half load, per second": round(paced["half load, goal 10"][0].per_second),
        **{
            figure: value
            for name, rounds in paced.items()
            for figure, value in _tail_of(name, rounds).items()
        },
        "CPU of an empty POST, API + database, us": round(cpu["empty"]),
        "CPU of a reservation, us": round(cpu["lots"]),
        f"CPU of a reservation, {SMALL_STOCK:,} units, us": round(cpu["small"]),
        "units allocated twice": sold_twice,
    }


def _tail_of(name: str, rounds: list[Outcome]) -> dict[str, float]:
    """Percentiles of all rounds together, and how the rounds' own 99th lie."""
    together = Outcome()
    for part in rounds:
        together.add(part)
    own = sorted(_ms(part, 0.99) for part in rounds)
    return {
        f"{name}: p50, ms": _ms(together, 0.5),
        f"{name}: p99, ms": _ms(together, 0.99),
        f"{name}: p99 of the median round, ms": own[len(own) // 2],
        f"{name}: p99 of the best round, ms": own[0],
        f"{name}: p99 of the worst round, ms": own[-1],
    }


def _ms(outcome: Outcome, share: float) -> float:
    return round(outcome.percentile(share) * 1000, 1)


def requests_of(path: str, pools: list[UUID], vault: BenchVault) -> Callable[[], bytes]:
    """One unit each, of one pool until it is sold out, then of the next."""
    run_id, numbers = secrets.token_hex(4), itertools.count()

    def request() -> bytes:
        number = next(numbers)
        pool = pools[min(number // (SMALL_STOCK - CALLERS), len(pools) - 1)]
        body = orjson.dumps(
            {
                "reference": f"b-{run_id}-{number}",
                "lines": [{"pool_id": str(pool), "quantity": 1}],
            }
        )
        return request_bytes(path, body, vault.token(), str(MERCHANT))

    return request


async def _sell(vault: BenchVault, load: Callable[[], bytes]) -> None:
    """SALES reservations of one unit through the API."""
    sold = 0
    while sold < SALES:
        outcome = await run_load(vault.port, load, callers=CALLERS, seconds=3)
        if set(outcome.statuses) != {201}:
            raise SystemExit(f"answers were {dict(outcome.statuses)}")
        sold += outcome.statuses[201]
        say(f"  {sold:,} of {SALES:,}")


async def stock(connection: asyncpg.Connection, sizes: list[int]) -> list[UUID]:
    """A pool per size, each with one lot of so many units; nothing here opens a box."""
    pools = []
    await connection.execute(_DROP_UNIQUE)
    for units in sizes:
        pool, lot = await add_lot(connection, units)
        pools.append(pool)
        for start in range(1, units + 1, STOCK_BATCH):
            end = min(start + STOCK_BATCH - 1, units)
            await connection.execute(_UNITS, lot, MERCHANT, start, end, timeout=600)
    await connection.execute(_ADD_UNIQUE, timeout=600)
    # The bulk load's own cleaning up is not what is measured.
    await connection.execute("VACUUM (ANALYZE) unit", timeout=600)
    return pools


async def _stock_rows(connection: asyncpg.Connection, pool: UUID) -> None:
    await connection.execute(_OLD_DESIGN)
    await connection.execute(
        "INSERT INTO bench_unit (pool_id) SELECT $1 FROM generate_series(1, $2::int)",
        pool,
        STOCK,
        timeout=600,
    )
    await connection.execute("VACUUM (ANALYZE) bench_unit", timeout=600)


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


# Codes come in any order: filling their unique index row by row would be most of the stocking.
_DROP_UNIQUE = "ALTER TABLE unit DROP CONSTRAINT uq_unit_merchant_id_fingerprint"
_ADD_UNIQUE = """
    SET maintenance_work_mem = '512MB';
    ALTER TABLE unit ADD CONSTRAINT uq_unit_merchant_id_fingerprint
      UNIQUE (merchant_id, fingerprint)
"""
_UNITS = """
    INSERT INTO unit (lot_id, seq, unit_id, merchant_id, nonce, box, mask, fingerprint)
    SELECT $1::uuid, n, uuidv7(), $2::uuid, substr(sha256(n::text::bytea), 1, 24),
      decode(repeat('ab', 272), 'hex'), '12****89', decode(md5($1::text || n), 'hex')
    FROM generate_series($3::int, $4::int) AS n
"""
# With the primary key that such a table has, the planner reads its b-tree in order and walks over
# every unit sold. BENCH_OLD_DESIGN=hash finds ids by a hash index instead, which leaves it nothing
# but the partial index: the old design at its best.
_ID_INDEX = {
    "primary-key": "ALTER TABLE bench_unit ADD PRIMARY KEY (id);",
    "hash": "CREATE INDEX ON bench_unit USING hash (id);",
}
_OLD_DESIGN = f"""
    CREATE TABLE bench_reservation (
      id uuid PRIMARY KEY, merchant_id uuid NOT NULL, reference text NOT NULL,
      UNIQUE (merchant_id, reference));
    CREATE TABLE bench_unit (
      id bigint GENERATED ALWAYS AS IDENTITY, pool_id uuid NOT NULL,
      state text NOT NULL DEFAULT 'available', reservation_id uuid)
      WITH (fillfactor = 80, autovacuum_enabled = false);
    CREATE INDEX ON bench_unit (pool_id, id) WHERE state = 'available';
    {_ID_INDEX[os.environ.get("BENCH_OLD_DESIGN", "primary-key")]}
"""
