"""Orders per second through everything, and the time from payment to the key being ready.

The whole set of `make run` on this machine with its own broker and database; the load runs beside
it. (a) as fast as it goes: prepaid orders by BENCH_CALLERS callers, until every one is completed;
orders per second and CPU per order over all processes of the set. (b) BENCH_PACE orders per
second: from the payment's commit to the delivery's commit. (c) orders that are placed, then paid,
over HTTP, against an empty POST of the same body. Nothing may be lost or double.
"""

import asyncio
import itertools
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from onebox.ports import free_ports
from onebox.services import service_named
from onebox.supervisor import Onebox, Options
from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.load import Outcome, request_bytes, run_load
from tests.benchmarks.results import save, say
from tests.stack.shop import Shop, open_shop

CALLERS = int(os.environ.get("BENCH_CALLERS", "32"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "15"))
PACE = float(os.environ.get("BENCH_PACE", "50"))
STOCK = 30_000
SETTLE_SECONDS = 180.0


async def run() -> None:
    folder = Path(tempfile.mkdtemp(prefix="lockstock-bench-"))
    folder.chmod(0o755)
    try:
        options = Options(home=folder / "box", random_ports=True, echo=False)
        async with Onebox(options) as box, open_shop(box.demo) as shop:
            figures = await _measure(box, shop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in figures.items():
        say(f"{name:52} {value}")
    say(f"written to {save('orders', figures)}")


async def _measure(box: Onebox, shop: Shop) -> dict[str, Any]:
    codes = [f"B{number:06d}{secrets.token_hex(5).upper()}" for number in range(STOCK)]
    product = await shop.stocked_product(codes)
    await _flood(box, shop, product.sku, seconds=3, pace=None)
    cpu, started = cpu_seconds(box.pids.values()), time.perf_counter()
    flooded = await _flood(box, shop, product.sku, seconds=SECONDS, pace=None)
    seconds, cpu = time.perf_counter() - started, cpu_seconds(box.pids.values()) - cpu
    orders = flooded.statuses[201]
    await asyncio.sleep(2)
    since = await _now(box)
    paced = await _flood(box, shop, product.sku, seconds=SECONDS, pace=PACE)
    waits = await _payment_to_delivery(box, since)
    levels = await shop.levels(product.pool_id)
    total = await _count(box, "order", "SELECT count(*) FROM orders WHERE status = 'completed'")
    empty, placed, paid = await _place_then_pay(box, shop, product.sku)
    both = 1 / (1 / placed + 1 / paid)
    return {
        "orders, as fast as it goes": orders,
        "orders/s through everything (goal 300, then 500)": round(orders / seconds, 1),
        "CPU per order in all processes, ms (goal 6, then 4)": round(cpu * 1000 / orders, 2),
        "placing p50, ms": _ms(flooded.percentile(0.5)),
        "an empty POST of the same body, per second": round(empty),
        "placed / paid over HTTP, per second": f"{placed:.0f} / {paid:.0f}",
        "placed and paid, orders/s; against an empty POST": f"{both:.0f}; {both / empty:.2f}",
        f"paid -> delivered p50 at {PACE:.0f}/s, ms (goal 15)": _ms(_share(waits, 0.5)),
        f"paid -> delivered p99 at {PACE:.0f}/s, ms (goal 60)": _ms(_share(waits, 0.99)),
        "orders at that pace": paced.statuses[201],
        "completed orders": total,
        "units sold": levels["sold"],
        "lost or double": total - levels["sold"],
    }


async def _flood(
    box: Onebox, shop: Shop, sku: str, *, seconds: float, pace: float | None
) -> Outcome:
    """Prepaid orders; returns when every one of them is completed."""
    port = box.wiring.ports["order"]
    outcome = await run_load(
        port,
        _orders(shop, sku),
        callers=CALLERS,
        seconds=seconds,
        per_second=pace,
    )
    if set(outcome.statuses) != {201}:
        raise SystemExit(f"answers were {dict(outcome.statuses)}")
    deadline = time.monotonic() + SETTLE_SECONDS
    while await _count(box, "order", "SELECT count(*) FROM orders WHERE status <> 'completed'"):
        if time.monotonic() > deadline:
            raise SystemExit(f"orders are not completed after {SETTLE_SECONDS:.0f} s")
        await asyncio.sleep(0.1)
    return outcome


async def _place_then_pay(box: Onebox, shop: Shop, sku: str) -> tuple[float, float, float]:
    """Per second: empty POSTs, orders placed, orders paid; one after the other on this machine."""
    seconds = SECONDS / 3
    async with _empty_server() as port:
        load = _orders(shop, sku, path="/empty", is_paid=False)
        empty = await run_load(port, load, callers=CALLERS, seconds=seconds)
    port, since = box.wiring.ports["order"], await _now(box)
    load = _orders(shop, sku, is_paid=False)
    placed = await run_load(port, load, callers=CALLERS, seconds=seconds)
    rows = await _rows(
        box,
        "order",
        "SELECT id FROM orders WHERE status = 'pending_payment' AND placed_at > $1",
        since,
    )
    # Not all of them: the load must not run dry before its time is over.
    load = _payments(shop, [str(row[0]) for row in rows])
    paid = await run_load(port, load, callers=CALLERS, seconds=seconds / 4)
    for outcome in (empty, placed, paid):
        if set(outcome.statuses) != {201}:
            raise SystemExit(f"answers were {dict(outcome.statuses)}")
    return empty.per_second, placed.per_second, paid.per_second


@asynccontextmanager
async def _empty_server() -> AsyncIterator[int]:
    port = free_ports(1)[0]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.empty_server", str(port)
    )
    try:
        while not await _listens(port):  # noqa: ASYNC110 - another process: no event
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _payments(shop: Shop, order_ids: list[str]) -> Callable[[], bytes]:
    unpaid = iter(order_ids)

    def request() -> bytes:
        order_id = next(unpaid, None)
        if order_id is None:
            raise SystemExit("more payments were made than orders had been placed")
        body = {
            "provider": "shop",
            "provider_reference": order_id,
            "amount": {"amount": 1990, "currency": "CNY"},
        }
        path = f"/v1/orders/{order_id}/payments"
        return request_bytes(path, orjson.dumps(body), shop.api_key)

    return request


def _orders(
    shop: Shop, sku: str, *, path: str = "/v1/orders", is_paid: bool = True
) -> Callable[[], bytes]:
    run_id, numbers = secrets.token_hex(4), itertools.count()

    def request() -> bytes:
        number = next(numbers)
        reference = f"bench-{run_id}-{number}"
        body = {
            "channel_id": shop.channel_id,
            "reference": reference,
            # Each buyer from an address of its own: the velocity rule must look, and let it pass.
            "customer": {"id": f"b{number}", "ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}."
                         f"{number & 255}", "device_id": run_id + str(number)},
            "lines": [{"sku": sku, "quantity": 1}],
            "paid": {
                "provider": "shop",
                "provider_reference": reference,
                "amount": {"amount": 1990, "currency": "CNY"},
            },
        }  # fmt: skip
        if not is_paid:
            del body["paid"]
        return request_bytes(path, orjson.dumps(body), shop.api_key)

    return request


async def _payment_to_delivery(box: Onebox, since: Any) -> list[float]:
    """Seconds from the payment's event (just before its commit) to the delivery's, per order."""
    paid = await _rows(
        box,
        "order",
        "SELECT key::uuid, at FROM event_log WHERE type = 'lockstock.order.v1.OrderPaid' AND at "
        "> $1",
        since,
    )
    delivered = dict(
        await _rows(
            box,
            "fulfillment",
            "SELECT order_id, settled_at FROM delivery WHERE settled_at > $1",
            since,
        )
    )
    return sorted((delivered[order_id] - at).total_seconds() for order_id, at in paid)


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


async def _now(box: Onebox) -> Any:
    return (await _rows(box, "order", "SELECT clock_timestamp()"))[0][0]


async def _count(box: Onebox, service: str, statement: str) -> int:
    return int((await _rows(box, service, statement))[0][0])


async def _rows(box: Onebox, service: str, statement: str, *arguments: Any) -> list[Any]:
    url = f"{box.wiring.admin_url.rsplit('/', 1)[0]}/{service_named(service).database}"
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement, *arguments))
    finally:
        await connection.close()
