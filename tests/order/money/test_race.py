"""Many orders by 64 callers, each payment told 5 times at once, in every order of pay, cancel and
expire: exact money for each order. What is paid after its time is held anew, where there is stock.

RACE_ORDERS=10000 is the size that the suite must show; a run of `make test` has 600: every plot
twice.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from kit.ids import new_id
from kit.periodic import Periodic
from kit.service import Service
from onebox.ports import free_ports
from order.api_keys.domain import MERCHANT_SCOPES
from order.orders import service as orders
from order.orders.domain import Order, OrderStatus
from order.payments.jobs import pay_back
from order.provider import load_providers
from order.saga import jobs as saga_jobs
from order.step_kinds import load_kinds
from order.steps.jobs import make_steps
from tests.order.conftest import a_key, outside_of
from tests.order.factories import (
    MERCHANT,
    POOL,
    SHOP,
    assessed,
    delivered,
    failed,
    unknown,
)
from tests.order.money.api import api_processes
from tests.order.money.callers import Caller, Seller, insist, seen, until_available
from tests.order.money.checker import problems
from tests.order.money.plots import COPIES, PLOTS
from tests.order.money.readers import BATCH, consume, read_tales
from tests.order.money.tales import Tale
from tests.order.money.wire import Line
from tests.order.vaults import ScriptedVault

ORDERS = int(os.environ.get("RACE_ORDERS", "600"))
CALLERS = 64
SECONDS_MAX = 1_500  # for a machine that does other things as well

pytestmark = pytest.mark.timeout(SECONDS_MAX)


class ScarceVault(ScriptedVault):
    """Has nothing left for a quarter of the orders whose price came late."""

    def _hold(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["reference"].startswith("step:") and item["reference"][-1] in "0123":
            lines = [
                {"line_no": it["line_no"], "requested": 1, "available": 0} for it in item["lines"]
            ]
            problem = {"status": 409, "lines": lines}
            return {"result": "out_of_stock", "reservation": None, "problem": problem}
        return super()._hold(item)


@asynccontextmanager
async def _timers(service: Service) -> AsyncIterator[None]:
    """The worker's jobs, as they run beside the API."""
    kinds = load_kinds(outside_of(service.db, ScarceVault()))
    jobs: list[Periodic] = [
        make_steps(service.db, kinds, every_seconds=0.05, lease_seconds=60),
        saga_jobs.expire_unpaid(service.db, every_seconds=0.02),
        pay_back(service.db, load_providers(["demo"]), every_seconds=0.05),
    ]
    tasks = [asyncio.create_task(job.run()) for job in jobs]
    try:
        yield
    finally:
        for job in jobs:
            job.stop()
        await asyncio.gather(*tasks)


async def sell(api: Any) -> None:
    for sku, amount in (("RACE", 1200), ("RACE-2", 790)):
        body = {
            "sku": sku,
            "name": "Game card",
            "fulfillment": {"kind": "pool", "pool_id": str(POOL)},
            "price": {"amount": amount, "currency": "CNY"},
        }
        answer = await api.post("/v1/products", json=body)
        assert answer.status_code == 201, answer.text


async def _all_of(service: Service, status: OrderStatus, ids: Sequence[UUID]) -> list[Order]:
    found: list[Order] = []
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]

        async def locked(batch: Sequence[UUID] = batch) -> Sequence[Order]:
            async with service.db.transaction() as tx:
                return list((await orders.lock_many(tx, batch)).orders.values())

        found += [it for it in await until_available(locked) if it.status is status]
    return found


async def _fulfil(service: Service, ids: Sequence[UUID]) -> None:
    """Risk declines every tenth; of the others some lines fail, and some stay unknown."""
    paid = await _all_of(service, OrderStatus.PAID, ids)
    await consume(service, [assessed(it, "DECLINE") for it in paid[::10]])
    await consume(service, [assessed(it) for n, it in enumerate(paid) if n % 10])
    going = await _all_of(service, OrderStatus.FULFILLING, ids)
    lines = [(order, line) for order in going for line in order.lines]
    await consume(service, [failed(*it) for it in lines[::7]])
    await consume(service, [unknown(*it) for it in lines[3::7]])
    done = [it for n, it in enumerate(lines) if n % 7 not in (0, 3)]
    await consume(service, [delivered(*it, costs=[]) for it in done])


async def _refund_some(
    port: int, token: str, service: Service, ids: Sequence[UUID]
) -> dict[UUID, tuple[tuple[int, bytes], ...]]:
    """After delivery, each call sent COPIES times at once."""
    completed = (await _all_of(service, OrderStatus.COMPLETED, ids))[::2][:500]
    answers: dict[UUID, tuple[tuple[int, bytes], ...]] = {}

    async def some(orders: Sequence[Order]) -> None:
        lines = [Line(port, token) for _ in range(COPIES)]
        for order in orders:
            amount = {"amount": 300, "currency": "CNY"}
            part = {"line_id": str(order.lines[0].id), "amount": amount}
            body = orjson.dumps({"reason": "does not work", "lines": [part]})
            path, key = f"/v1/orders/{order.id}/refunds", str(new_id())
            got = await asyncio.gather(*(insist(line, path, body, key) for line in lines))
            answers[order.id] = tuple(seen(answer) for answer in got)
        for line in lines:
            line.close()

    await asyncio.gather(*(some(completed[number::16]) for number in range(16)))
    return answers


async def _until_quiet(service: Service, *, seconds: float = 60) -> None:
    """No order is overdue, no call is due and no refund is on its way."""
    query = text(
        "SELECT (SELECT count(*) FROM order_refund WHERE status <> 'done') + (SELECT count(*) "
        "FROM orders WHERE status = 'pending_payment' AND pay_until <= clock_timestamp()) + "
        "(SELECT count(*) FROM saga_step WHERE state IN ('intent', 'sent', 'unknown'))"
    )
    deadline = time.monotonic() + seconds
    left = -1
    while left and time.monotonic() < deadline:
        async with service.db.read() as tx:
            left = (await tx.execute(query)).scalar_one()
        await asyncio.sleep(0.05)
    assert left == 0, f"{left} orders, calls and refunds are still open"


async def _lives(port: int, token: str, service: Service) -> list[Caller]:
    seller = Seller(MERCHANT, SHOP, ("RACE", "RACE-2"))
    callers = [Caller(port, token, service.db, seller) for _ in range(CALLERS)]
    plots = iter(PLOTS[number % len(PLOTS)] for number in range(ORDERS))

    async def work(caller: Caller) -> None:
        for plot in plots:
            await caller.live(plot)
        caller.close()

    await asyncio.gather(*(work(caller) for caller in callers))
    return callers


async def test_money_is_exact_for_each_order_whatever_happens_at_once(
    service: Service, api: Any
) -> None:
    await sell(api)
    token = await a_key(service.db, sorted(MERCHANT_SCOPES), MERCHANT)
    (port,) = free_ports(1)
    url = service.settings.database_url.get_secret_value()
    async with api_processes(url, port), _timers(service):
        callers = await _lives(port, token, service)
        ids = [order_id for caller in callers for order_id in caller.orders]
        await _until_quiet(service)
        await _fulfil(service, ids)
        await _until_quiet(service)
        asked = await _refund_some(port, token, service, ids)
        await _until_quiet(service)

    tales = await read_tales(service.db, ids)
    assert len(tales) == ORDERS
    told = {order_id: tuple(it) for caller in callers for order_id, it in caller.told.items()}
    cancels = {order_id: tuple(it) for caller in callers for order_id, it in caller.cancels.items()}
    whole = [
        replace(
            tale,
            told=told.get(order_id, ()),
            cancels=cancels.get(order_id, ()),
            asked_refunds=(asked[order_id],) if order_id in asked else (),
        )
        for order_id, tale in tales.items()
    ]
    found = [problem for tale in whole for problem in problems(tale)]
    assert found == [], f"{len(found)} problems, the first: {found[:10]}"
    _happened(whole)


def _happened(tales: Sequence[Tale]) -> None:
    """A run in which nothing rare happened would prove nothing."""
    rare = max(1, len(tales) // 500)
    ends = Counter(tale.status for tale in tales)
    states = Counter(payment.status for tale in tales for payment in tale.payments)
    for status in (
        "pending_payment",
        "cancelled",
        "expired",
        "completed",
        "partially_completed",
        "refunded",
        "fulfilling",
    ):
        assert ends[status] >= rare, (status, ends)
    assert states["returned"] >= 50 * rare
    assert states["partial"] >= rare
    late = Counter(kind for tale in tales for kind in tale.timeline)
    assert late["revived"] >= 10 * rare
    assert late["late_payment_refused"] >= rare
    words = [told for tale in tales for told in tale.told if told.is_word]
    assert sum(told.answers[0][0] == 409 for told in words) >= rare
