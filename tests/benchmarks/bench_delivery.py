"""From paid to the key being ready at a steady pace; then everything as fast as it goes.

The whole set of `make run` on this machine with its own broker and database; the load runs beside
it. (a) Orders placed before are paid, BENCH_PACE a second, each when it is due, whatever the
answers before it take. (b) The same with orders that arrive paid: risk judges those first. (c)
Prepaid orders by BENCH_CALLERS callers until every one is completed: orders per second, and what an
order costs each process; against an empty POST of the same body.

The clock of (a) and (b) is the database's at both ends: when `OrderPaid` and when `LineDelivered`
was written, each just before its commit. From outside, every BENCH_WATCH-th order is watched too:
from the answer of the call that paid until `GET /v1/deliveries` shows it delivered. Nothing may be
lost or double.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from onebox.supervisor import Onebox
from tests.benchmarks.load import run_load, run_on_time
from tests.benchmarks.orders import (
    connected,
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
from tests.stack.shop import Product, Shop

CALLERS = int(os.environ.get("BENCH_CALLERS", "32"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "15"))
PACE = float(os.environ.get("BENCH_PACE", "50"))
WATCH = int(os.environ.get("BENCH_WATCH", "20"))
STOCK = int(os.environ.get("BENCH_STOCK", "20000"))
WARM_SECONDS = 3.0
WATCH_PAUSE_SECONDS = 0.002
WATCH_SECONDS_MAX = 30.0
POSTED_SECONDS_MAX = 60.0

Figures = dict[str, Any]


async def run() -> None:
    async with running_set() as (box, shop):
        figures = await _measure(box, shop)
    for name, value in figures.items():
        say(f"{name:58} {value}")
    say(f"written to {save('delivery', figures)}")


async def _measure(box: Onebox, shop: Shop) -> Figures:
    product = await shop.stocked_product(new_codes(STOCK))
    port = box.wiring.ports["order"]
    for is_paid in (True, False):
        load = order_requests(shop, product.sku, is_paid=is_paid)
        require_created(await run_load(port, load, callers=CALLERS, seconds=WARM_SECONDS))
    await until_completed(box)
    figures = await _placed_then_paid(box, shop)
    figures |= await _arrived_paid(box, shop, product)
    figures |= await _as_fast_as_it_goes(box, shop, product)
    return figures | await _accounts(box, shop, product)


async def _placed_then_paid(box: Onebox, shop: Shop) -> Figures:
    """Those that the warming up placed and risk has judged meanwhile."""
    unpaid = await rows(
        box, "order", "SELECT id FROM orders WHERE status = 'pending_payment' AND verdict = 'allow'"
    )
    ids = [str(row[0]) for row in unpaid]
    load = payment_requests(shop, ids)
    seconds = min(SECONDS, len(ids) / PACE)
    return await _paced(box, shop, "placed before", load, seconds)


async def _arrived_paid(box: Onebox, shop: Shop, product: Product) -> Figures:
    load = order_requests(shop, product.sku)
    return await _paced(box, shop, "arrived paid", load, SECONDS)


async def _paced(
    box: Onebox, shop: Shop, name: str, load: Callable[[], bytes], seconds: float
) -> Figures:
    since, cpu = await now(box), sum(cpu_of_parts(box).values())
    watch = _Watch(shop)
    outcome = await run_on_time(
        box.wiring.ports["order"], load, per_second=PACE, seconds=seconds, answered=watch.look
    )
    require_created(outcome)
    seen = await watch.seen()
    await until_completed(box)
    cpu = sum(cpu_of_parts(box).values()) - cpu
    waits = await _paid_to_delivered(box, since)
    title = f"{name}, {PACE:.0f}/s"
    return {
        f"{title}: paid -> ready p50, ms (goal 15)": _ms(waits, 0.5),
        f"{title}: paid -> ready p99, ms (goal 60)": _ms(waits, 0.99),
        f"{title}: seen from outside p50 / p99, ms": f"{_ms(seen, 0.5)} / {_ms(seen, 0.99)}",
        f"{title}: the paying call p50 / p99, ms": f"{_ms(sorted(outcome.latencies), 0.5)} / "
        f"{_ms(sorted(outcome.latencies), 0.99)}",
        f"{title}: CPU of an order, ms": round(cpu * 1000 / len(waits), 1),
        f"{title}: orders (watched)": f"{len(waits)} ({len(seen)})",
    }


class _Watch:
    """Asks for the delivery of every so many orders until it is there, as a shop would."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._answers = 0
        self._watching: list[asyncio.Task[float]] = []

    def look(self, body: bytes) -> None:
        """The answer of a call that paid has come."""
        self._answers += 1
        if self._answers % WATCH == 0:
            self._watching.append(asyncio.create_task(self._until_ready(body)))

    async def seen(self) -> list[float]:
        """Seconds that each took, in order of size."""
        return sorted(await asyncio.gather(*self._watching))

    async def _until_ready(self, body: bytes) -> float:
        started = time.perf_counter()
        answer = orjson.loads(body)
        path = f"/v1/deliveries?order_id={answer.get('order_id', answer['id'])}"
        while time.perf_counter() - started < WATCH_SECONDS_MAX:
            page = await self._shop.get("fulfillment", path)
            if [it["status"] for it in page["items"]] == ["delivered"]:
                return time.perf_counter() - started
            await asyncio.sleep(WATCH_PAUSE_SECONDS)
        raise SystemExit(f"{path} is not delivered after {WATCH_SECONDS_MAX:.0f} s")


async def _as_fast_as_it_goes(box: Onebox, shop: Shop, product: Product) -> Figures:
    async with empty_server() as port:
        load = order_requests(shop, product.sku, path="/empty")
        empty = require_created(await run_load(port, load, callers=CALLERS, seconds=WARM_SECONDS))
    before, started = cpu_of_parts(box), time.perf_counter()
    load = order_requests(shop, product.sku)
    outcome = await run_load(box.wiring.ports["order"], load, callers=CALLERS, seconds=SECONDS)
    orders = require_created(outcome).statuses[201]
    await until_completed(box)
    rate = orders / (time.perf_counter() - started)
    cpu = {name: (used - before[name]) * 1000 / orders for name, used in cpu_of_parts(box).items()}
    return {
        "orders/s through everything (goal 300, then 500)": round(rate, 1),
        "CPU of an order in all processes, ms (goal 6, then 4)": round(sum(cpu.values()), 2),
        **{f"  of it {name}": round(each, 2) for name, each in sorted(cpu.items())},
        "placing p50 / p99, ms": f"{_ms(sorted(outcome.latencies), 0.5)} / "
        f"{_ms(sorted(outcome.latencies), 0.99)}",
        "orders, as fast as it goes": orders,
        "an empty POST of the same body, per second; the ratio": f"{empty.per_second:.0f}; "
        f"{rate / empty.per_second:.3f}",
    }


async def _accounts(box: Onebox, shop: Shop, product: Product) -> Figures:
    """What every order came to, asked of each service."""
    await _until_posted(box)
    completed = await count(box, "order", _COMPLETED)
    lost = {
        "delivered": completed - await count(box, "fulfillment", _DELIVERED),
        "units": completed - await count(box, "fulfillment", _UNITS),
        "sold": completed - (await shop.levels(product.pool_id))["sold"],
        "posted": completed - await count(box, "ledger", _POSTED),
    }
    return {"orders completed": completed, "lost or double": lost}


async def _until_posted(box: Onebox) -> None:
    """The books follow: the ledger is the last to hear of an order."""
    settled = await count(box, "order", _COMPLETED)
    deadline = time.monotonic() + POSTED_SECONDS_MAX
    async with connected(box, "ledger") as connection:
        while await connection.fetchval(_POSTED) < settled:
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.25)


async def _paid_to_delivered(box: Onebox, since: Any) -> list[float]:
    """Seconds per order, in order of size."""
    paid = await rows(box, "order", _WHEN, "lockstock.order.v1.OrderPaid", since)
    delivered = await rows(
        box, "fulfillment", _WHEN, "lockstock.fulfillment.v1.LineDelivered", since
    )
    ready = dict(delivered)
    return sorted((ready[order_id] - at).total_seconds() for order_id, at in paid)


def _ms(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 1)


_WHEN = "SELECT key, at FROM event_log WHERE type = $1 AND at > $2"
_COMPLETED = "SELECT count(*) FROM orders WHERE status = 'completed'"
# Of units: one that was handed out twice counts once, so it is missed.
_DELIVERED = "SELECT count(*) FROM delivery WHERE state = 'delivered'"
_UNITS = "SELECT count(DISTINCT unit_id) FROM delivered_unit"
_POSTED = "SELECT count(*) FROM transaction WHERE source LIKE 'order-settled:%'"
