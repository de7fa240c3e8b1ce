"""Real workers, killed between any two phases of a step: the outside acts once for each."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from kit.db import Database
from kit.ids import new_id
from onebox.ports import free_ports
from order.orders.domain import Order
from order.settings import Settings
from order.steps.domain import StepState
from tests.order.conftest import ACCOUNT_KEY, CONTACT_KEY, SECRET
from tests.order.factories import POOL, fulfilling
from tests.order.steps.making import a_step, planned, steps_of
from tests.stack.nursery import Forked, forked

_ORDERS = 12
_KILLS = 8
_ASK_AT_ONCE = text("UPDATE saga_step SET next_at = clock_timestamp() WHERE state = 'unknown'")


class CountingVault:
    """Speaks the vault's wire over HTTP: a hold per reference, however often it is asked for. While
    `is_shut`, it acts and does not answer.
    """

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.is_shut = False
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = orjson.loads(await Request(scope, receive).body())
        items = [self._hold(item["reference"]) for item in body["items"]]
        if self.is_shut:
            self.reached.set()
            await self._opened.wait()
        await JSONResponse({"items": items})(scope, receive, send)

    def _hold(self, reference: str) -> dict[str, Any]:
        self.asked[reference] += 1
        held = self.held.setdefault(reference, str(new_id()))
        return {"result": "held", "reservation": {"id": held, "status": "held"}, "problem": None}

    def open(self) -> None:
        self.is_shut = False
        self._opened.set()


@asynccontextmanager
async def _listening(app: Any, port: int) -> AsyncIterator[None]:
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, not an event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def _worker(
    settings: Settings, vault_port: int, *, lease_seconds: float = 0.5
) -> AsyncIterator[Forked]:
    env = {
        **os.environ,
        "ORDER_DATABASE_URL": settings.database_url.get_secret_value(),
        "ORDER_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "ORDER_INTERNAL_SECRET": SECRET,
        "ORDER_CONTACT_KEY": CONTACT_KEY,
        "ORDER_ACCOUNT_KEY": ACCOUNT_KEY,
        "ORDER_VAULT_URL": f"http://127.0.0.1:{vault_port}",
        "ORDER_STEPS_EVERY_SECONDS": "0.01",
        "ORDER_STEPS_LEASE_SECONDS": str(lease_seconds),
        "ORDER_LOG_LEVEL": "ERROR",
    }
    async with forked("order", "worker", imports=["order.app"], env=env) as process:
        yield process


async def _planned_hold(db: Database) -> Order:
    order = await fulfilling(db)
    line = order.lines[0]
    lines = [{"line_no": 1, "sku": line.sku, "pool_id": str(POOL), "quantity": 1}]
    args = {"lines": lines, "sku": line.sku, "round": 1}
    await planned(db, order, a_step(order, "reserve", line_id=line.id, args=args))
    return order


async def _until_ok(db: Database, worker: Forked, orders: list[Order]) -> None:
    """A call that a busy machine made late leaves its step unknown, and a step that kills have cost
    attempts would rest for an hour: it is asked about at once here.
    """
    async with asyncio.timeout(100):
        while True:
            async with db.transaction() as tx:
                await tx.execute(_ASK_AT_ONCE)
            steps = [step for order in orders for step in await steps_of(db, order)]
            if {step.state for step in steps} == {StepState.OK}:
                return
            assert worker.exit_code is None, Counter((it.state, it.last_error) for it in steps)
            await asyncio.sleep(0.2)


async def test_workers_killed_at_any_moment_make_each_step_once(
    db: Database, settings: Settings
) -> None:
    vault, [port] = CountingVault(), free_ports(1)
    orders = [await _planned_hold(db) for _ in range(_ORDERS)]
    async with _listening(vault, port):
        vault.is_shut = True
        async with _worker(settings, port) as first, asyncio.timeout(30):
            await vault.reached.wait()  # it has acted; nobody will hear of it
            await first.kill()
        [sent] = {step.state for order in orders for step in await steps_of(db, order)}
        assert sent is StepState.SENT
        vault.open()

        chance = random.Random(7)
        for _ in range(_KILLS):
            orders.append(await _planned_hold(db))
            async with _worker(settings, port):
                await asyncio.sleep(chance.uniform(0.4, 1.6))
        async with _worker(settings, port, lease_seconds=20) as last:
            await _until_ok(db, last, orders)

    made = [step for order in orders for step in await steps_of(db, order)]
    assert {f"step:{step.ext_ref}": step.result["reservation_id"] for step in made} == vault.held
    assert max(vault.asked.values()) > 1
