"""One run: a stand, its callers, its wrecker; rest; the books; the check."""

import asyncio
import itertools
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import asyncpg
import orjson

from kit.ids import new_id
from tests.history.books import Books
from tests.history.callers import Caller, Market
from tests.history.checker import BOOKS_FILE, HISTORY_FILE, Report, check
from tests.history.operations import History
from tests.history.recorder import Recorder
from tests.history.rows import read_rows
from tests.history.shop import CALL_SECONDS_MAX, Shop, code_hash
from tests.history.sightings import sightings
from tests.history.stand import PROCESSES, VAULT, Stand
from tests.history.wire import Wire
from tests.history.wrecker import Wrecker
from tests.stack.service_databases import ServiceDatabases

SETTLE_SECONDS = 1.0
"""What a killed process left in the database ends in this time at the latest."""

GRACE_SECONDS = 5.0
HOT_LOTS, SCARCE_POOLS, SCARCE_UNITS, FROZEN_UNITS = 3, 4, 40, 150


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    operations: int = 20_000
    callers: int = 32
    # False: a quiet run, nobody is killed.
    wrecks: bool = True
    program: Sequence[str] = VAULT
    processes: Sequence[str] = PROCESSES
    # Run by the database's administrator before the vault starts.
    sql: Sequence[str] = ()
    short_hold_seconds: int = 10
    # Holds are asked for so many times as long as they are to last, from a vault that is so quick.
    hold_factor: int = 1
    rest_seconds_max: float = 40.0


@dataclass(frozen=True, slots=True)
class Result:
    plan: Plan
    report: Report
    seen: Counter[str]
    acts: Counter[str]
    seconds: float

    def __str__(self) -> str:
        rate = self.report.operations / self.seconds
        head = f"seed {self.plan.seed}, {self.plan.callers} callers, {self.seconds:.1f} s"
        return "\n".join(
            [
                f"{head}, {rate:.0f} operations/s",
                f"acts: {dict(sorted(self.acts.items()))}",
                f"seen: {dict(sorted(self.seen.items()))}",
                str(self.report),
            ]
        )


@asynccontextmanager
async def running_stand(stand: Stand, sql: Sequence[str]) -> AsyncIterator[None]:
    try:
        await stand.start(sql)
        yield
    finally:
        await stand.stop()


async def run(
    folder: Path, kafka: str, plan: Plan, databases: ServiceDatabases | None = None
) -> Result:
    """Leaves history and books in `folder`, where `tests.history.checker` finds them. Without
    `databases` the run has a PostgreSQL server of its own, as it must when it kills that.
    """
    stand = Stand(
        folder,
        kafka,
        new_id(),
        program=plan.program,
        processes=plan.processes,
        databases=databases,
    )
    async with running_stand(stand, plan.sql):
        history, books, acts, seconds = await _play(stand, plan)
    books.write(folder / BOOKS_FILE)
    report = check(history, books, GRACE_SECONDS)
    return Result(plan, report, sightings(history, books), acts, seconds)


async def _play(stand: Stand, plan: Plan) -> tuple[History, Books, Counter[str], float]:
    recorder = Recorder(stand.folder / HISTORY_FILE)
    codes = Codes(stand)
    wrecker = Wrecker(stand, Random(plan.seed))
    wires = [stand.new_wire(CALL_SECONDS_MAX) for _ in range(plan.callers)]

    def is_over() -> bool:
        """So many operations of known outcome, and every kind of wreck at least once."""
        wrecked = wrecker.rounds > 0 or not plan.wrecks
        return wrecked and recorder.definite >= plan.operations

    market = await _open_market(stand, wires[0], recorder, codes, plan)
    market.is_over = is_over
    callers = []
    for number, wire in enumerate(wires):
        random = Random(plan.seed * 1_000 + number)
        shop = Shop(wire, stand.ports, recorder, number, random, plan.hold_factor)
        callers.append(Caller(shop, market, recorder, random))
    began = time.monotonic()
    wrecking = asyncio.create_task(wrecker.run()) if plan.wrecks else None
    await asyncio.gather(*(caller.run() for caller in callers))
    seconds = time.monotonic() - began
    wrecker.stop()
    if wrecking is not None:
        await wrecking
    await asyncio.gather(*(caller.finish() for caller in callers))
    for wire in wires:
        wire.close()
    await _rest(stand, plan.rest_seconds_max)
    recorder.close()
    books = await read_rows(stand.database_url, codes.hash_of_fingerprint)
    return recorder.history, books, wrecker.acts, seconds


class Codes:
    """Makes codes nobody used, and knows their hashes by the vault's fingerprints."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._prefix = secrets.token_hex(4).upper()
        self._numbers = itertools.count()
        self.hash_of_fingerprint: dict[str, str] = {}

    def new(self, count: int) -> list[str]:
        codes = [f"{self._prefix}{next(self._numbers):07}" for _ in range(count)]
        for code in codes:
            self.hash_of_fingerprint[self._stand.fingerprint(code)] = code_hash(code)
        return codes


async def _open_market(
    stand: Stand, wire: Wire, recorder: Recorder, codes: Codes, plan: Plan
) -> Market:
    """Hot pools with lots of stock, scarce ones, and two that are frozen now and then."""
    shop = Shop(wire, stand.ports, recorder, -1, Random(plan.seed))
    market = Market(plan.operations, plan.short_hold_seconds, codes.new)

    async def stocked(lots: int, units: int) -> str:
        body = orjson.dumps({"name": "history", "unit_kind": "code"})
        answer = await wire.send(stand.ports[0], "POST", "/v1/pools", body)
        pool = str(answer.json()["id"])
        for _ in range(lots):
            call = await shop.stock(pool, codes.new(units))
            assert call.ok, call
        return pool

    for share in (0.10, 0.06, 0.06):
        market.hot.append(await stocked(HOT_LOTS, int(plan.operations * share)))
    for _ in range(SCARCE_POOLS):
        market.scarce.append(await stocked(1, SCARCE_UNITS))
    market.frozen.append(await stocked(2, FROZEN_UNITS))
    market.frozen.append(await stocked(1, FROZEN_UNITS))
    rows = await _units_of(stand, market.frozen[0])
    market.frozen_lots = sorted({lot for lot, _ in rows})
    market.frozen_units = [unit for _, unit in rows]
    market.frozen_units += [unit for _, unit in await _units_of(stand, market.frozen[1])]
    return market


async def _units_of(stand: Stand, pool: str) -> list[tuple[str, str]]:
    """(lot, unit) of a pool: no call of the vault names what is not sold yet."""
    connection = await asyncpg.connect(stand.database_url)
    try:
        rows = await connection.fetch(
            "SELECT u.lot_id::text, u.unit_id::text FROM unit u JOIN lot l ON l.id = u.lot_id"
            " WHERE l.pool_id::text = $1 ORDER BY u.lot_id, u.seq",
            pool,
        )
    finally:
        await connection.close()
    return [(row[0], row[1]) for row in rows]


async def _rest(stand: Stand, seconds_max: float) -> None:
    """Everything serves again, nothing is under way, no hold is past its time."""
    await stand.ready()
    await asyncio.sleep(SETTLE_SECONDS)
    deadline = time.monotonic() + seconds_max
    connection = await asyncpg.connect(stand.database_url)
    try:
        while time.monotonic() < deadline:
            overdue = await connection.fetchval(
                "SELECT count(*) FROM reservation"
                " WHERE status = 'held' AND expires_at < clock_timestamp()"
            )
            if not overdue:
                return
            await asyncio.sleep(0.2)
    finally:
        await connection.close()
