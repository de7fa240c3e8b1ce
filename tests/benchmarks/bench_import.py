"""Lines per second of a million-line CSV: uploaded over HTTP, checked, sealed, fingerprinted,
looked for among what the vault holds, durable and on the shelf.

Beside it in the same run: a bare COPY of the very rows it made, into a table with the same indexes.
The memory of the API and of its packer is their peak resident set; while the import runs, GET
/healthz is asked every few milliseconds. Goals: 60,000 lines/s and 300 MiB.

BENCH_IMPORT_LINES changes the size.
"""

import asyncio
import os
import random
import string
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tests.benchmarks.results import save, say
from tests.benchmarks.vault import MERCHANT, BenchVault, running_vault

LINES = int(os.environ.get("BENCH_IMPORT_LINES", "1000000"))
ROWS_AT_ONCE = 10_000
POLL_SECONDS = 0.05
COPY_TIMEOUT = 120


async def run() -> None:
    async with running_vault(opener=True) as vault:
        figures = await _measure(vault)
    for name, value in figures.items():
        say(f"{name:56} {value}")
    say(f"written to {save('import', figures)}")


async def _measure(vault: BenchVault) -> dict[str, Any]:

    def signed(request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {vault.token()}"
        return request

    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{vault.port}",
        headers={"Lockstock-Merchant": str(MERCHANT)},
        auth=signed,
        timeout=120,
    ) as client:
        body = {"name": "bench", "unit_kind": "card"}
        pool = (await client.post("/v1/pools", json=body)).json()["id"]
        await _import(client, pool, _file(2_000, "W"))
        idle = await _health(client, seconds=2)
        say(f"writing {LINES:,} lines")
        data = _file(LINES, "B")
        size = len(data)
        before, memory = vault.cpu_seconds(), Memory(vault.pids["api"])
        watching = asyncio.create_task(memory.watch())
        asking = asyncio.create_task(_health(client, seconds=None))
        started = time.perf_counter()
        receipt = await _import(client, pool, data)
        seconds = time.perf_counter() - started
        for task in (watching, asking):
            task.cancel()
        after = vault.cpu_seconds()
        busy = await asking
    if receipt["status"] != "completed" or receipt["accepted"] != LINES:
        raise SystemExit(f"the receipt is {receipt}")
    say("copying the same rows")
    copy_seconds = await _bare_copy(vault.connection, receipt["lot_id"])
    return {
        "lines": LINES,
        "file, MiB": round(size / 2**20, 1),
        "lines/s through everything (goal 60,000)": round(LINES / seconds),
        "rows/s of a bare COPY of the same rows": round(LINES / copy_seconds),
        "ratio to the bare COPY": round(copy_seconds / seconds, 2),
        "peak of the API process, MiB (goal 300)": memory.peak_mib("api"),
        "peak of the packer process, MiB (goal 300)": memory.peak_mib("packer"),
        "peak of both together, MiB": memory.sum_mib,
        "p99 of GET /healthz meanwhile, ms": percentile_ms(busy, 0.99),
        "p99 of GET /healthz at rest, ms": percentile_ms(idle, 0.99),
        "load of the machine (1 minute)": round(os.getloadavg()[0], 1),
        **{
            f"CPU per line in the {name}, us": round((after[name] - before[name]) * 1e6 / LINES, 1)
            for name in after
        },
    }


async def _import(client: httpx.AsyncClient, pool: str, data: bytes) -> Any:
    form = {"supplier": "bench", "unit_cost": "500", "currency": "CNY"}
    answer = await client.post(
        f"/v1/pools/{pool}/lots", data=form, files={"file": ("bench.csv", data)}
    )
    if answer.status_code != 202:
        raise SystemExit(answer.text)
    while True:
        receipt = (await client.get(f"/v1/imports/{answer.json()['import_id']}?lines=0")).json()
        if receipt["status"] != "running":
            return receipt
        await asyncio.sleep(0.05)


def _file(lines: int, prefix: str) -> bytes:
    """Cards as suppliers send them: a number, a password."""
    rng = random.Random(7)
    letters = string.ascii_uppercase + string.digits
    rows = ["card_no,card_pwd"]
    rows += [
        f"{prefix}{number:07}{rng.randrange(10**8):08},{''.join(rng.choices(letters, k=12))}"
        for number in range(lines)
    ]
    return "\n".join(rows).encode()


async def _health(client: httpx.AsyncClient, *, seconds: float | None) -> list[float]:
    """How long answers took; until it is cancelled when `seconds` is None."""
    found: list[float] = []
    ends = time.perf_counter() + (seconds or 3_600)
    with suppress(asyncio.CancelledError):
        while (started := time.perf_counter()) < ends:
            await client.get("/healthz")
            found.append(time.perf_counter() - started)
            await asyncio.sleep(0.005)
    return found


async def _bare_copy(connection: asyncpg.Connection, lot_id: str) -> float:
    """Seconds, in transactions of as many rows as the import's."""
    await connection.execute("CREATE TABLE bench_copy (LIKE unit INCLUDING ALL)")
    seconds, query = 0.0, "SELECT * FROM unit WHERE lot_id = $1 AND seq BETWEEN $2 AND $3"
    for first in range(1, LINES + 1, ROWS_AT_ONCE):
        rows = bytearray()

        async def take(part: bytes, rows: bytearray = rows) -> None:
            rows.extend(part)

        last = first + ROWS_AT_ONCE - 1
        await connection.copy_from_query(
            query, lot_id, first, last, output=take, format="binary", timeout=COPY_TIMEOUT
        )
        started = time.perf_counter()
        await connection.copy_to_table(
            "bench_copy", source=_once(bytes(rows)), format="binary", timeout=COPY_TIMEOUT
        )
        seconds += time.perf_counter() - started
    await connection.execute("DROP TABLE bench_copy")
    return seconds


async def _once(content: bytes) -> Any:
    yield content


class Memory:
    """The largest resident sets of a process and of its packers."""

    def __init__(self, api: int) -> None:
        self._api = api
        self._peaks: dict[str, int] = defaultdict(int)
        self.sum_mib = 0

    async def watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(POLL_SECONDS)

    def peak_mib(self, name: str) -> int:
        return self._peaks[name] // 1024

    def _look(self) -> None:
        together = 0
        for name, pid in (("api", self._api), *(("packer", pid) for pid in children(self._api))):
            kib = memory_kib(pid)
            self._peaks[name] = max(self._peaks[name], kib.get("VmHWM", 0))
            together += kib.get("VmRSS", 0)
        self.sum_mib = max(self.sum_mib, together // 1024)


def children(parent: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, rest = path.read_text().rpartition(") ")
            if int(rest.split(" ", 2)[1]) == parent:
                yield int(head.split(" ", 1)[0])


def percentile_ms(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 1)


def memory_kib(pid: int) -> dict[str, int]:
    """VmHWM (the peak) and VmRSS; empty for a process that has ended."""
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        pairs = (line.split(":", 1) for line in lines if line.startswith(("VmHWM", "VmRSS")))
        return {name: int(value.split()[0]) for name, value in pairs}
    return {}
