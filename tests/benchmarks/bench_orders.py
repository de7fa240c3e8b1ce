"""Orders per second through everything, and the time from payment to the key being ready.

The whole set of `make run` on this machine with its own broker and database; the load runs beside
it. (a) as fast as it goes: prepaid orders by BENCH_CALLERS callers, until every one is completed;
orders per second and CPU per order over all processes of the set. (b) orders that are placed, then
paid, over HTTP, against an empty POST of the same body. Nothing may be lost or double. How long a
buyer waits for a key is what `delivery` measures.
"""

import asyncio
import os
import time
from typing import Any

from onebox.supervisor import Onebox
from tests.benchmarks.load import Outcome, run_load
from tests.benchmarks.orders import (
    count,
    cpu_of_parts,
    empty_server,
    new_codes,
    now,
    order_requests,
    payment_requests,
    require_created,
    rows,
    running_set,
    until_completed,
)
from tests.benchmarks.results import save, say
from tests.stack.shop import Shop

CALLERS = int(os.environ.get("BENCH_CALLERS", "32"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "15"))
STOCK = 30_000
REST_SECONDS = 2


async def run() -> None:
    async with running_set() as (box, shop):
        figures = await _measure(box, shop)
    for name, value in figures.items():
        say(f"{name:52} {value}")
    say(f"written to {save('orders', figures)}")


async def _measure(box: Onebox, shop: Shop) -> dict[str, Any]:
    product = await shop.stocked_product(new_codes(STOCK))
    await _flood(box, shop, product.sku, seconds=3)
    cpu, started = sum(cpu_of_parts(box).values()), time.perf_counter()
    flooded = await _flood(box, shop, product.sku, seconds=SECONDS)
    seconds, cpu = time.perf_counter() - started, sum(cpu_of_parts(box).values()) - cpu
    orders = flooded.statuses[201]
    await asyncio.sleep(REST_SECONDS)
    levels = await shop.levels(product.pool_id)
    total = await count(box, "order", "SELECT count(*) FROM orders WHERE status = 'completed'")
    empty, placed, paid = await _place_then_pay(box, shop, product.sku)
    both = 1 / (1 / placed + 1 / paid)
    return {
        "orders, as fast as it goes": orders,
        "orders/s through everything (goal 300, then 500)": round(orders / seconds, 1),
        "CPU per order in all processes, ms (goal 6, then 4)": round(cpu * 1000 / orders, 2),
        "placing p50, ms": round(flooded.percentile(0.5) * 1000, 1),
        "an empty POST of the same body, per second": round(empty),
        "placed / paid over HTTP, per second": f"{placed:.0f} / {paid:.0f}",
        "placed and paid, orders/s; against an empty POST": f"{both:.0f}; {both / empty:.2f}",
        "completed orders": total,
        "units sold": levels["sold"],
        "lost or double": total - levels["sold"],
    }


async def _flood(box: Onebox, shop: Shop, sku: str, *, seconds: float) -> Outcome:
    """Prepaid orders; returns when every one of them is completed."""
    load = order_requests(shop, sku)
    outcome = await run_load(box.wiring.ports["order"], load, callers=CALLERS, seconds=seconds)
    await until_completed(box)
    return require_created(outcome)


async def _place_then_pay(box: Onebox, shop: Shop, sku: str) -> tuple[float, float, float]:
    """Per second: empty POSTs, orders placed, orders paid; one after the other on this machine."""
    seconds = SECONDS / 3
    async with empty_server() as port:
        load = order_requests(shop, sku, path="/empty", is_paid=False)
        empty = await run_load(port, load, callers=CALLERS, seconds=seconds)
    port, since = box.wiring.ports["order"], await now(box)
    load = order_requests(shop, sku, is_paid=False)
    placed = await run_load(port, load, callers=CALLERS, seconds=seconds)
    unpaid = await rows(
        box,
        "order",
        "SELECT id FROM orders WHERE status = 'pending_payment' AND placed_at > $1",
        since,
    )
    # Not all of them: the load must not run dry before its time is over.
    load = payment_requests(shop, [str(row[0]) for row in unpaid])
    paid = await run_load(port, load, callers=CALLERS, seconds=seconds / 4)
    for outcome in (empty, placed, paid):
        require_created(outcome)
    return empty.per_second, placed.per_second, paid.per_second
