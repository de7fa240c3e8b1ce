"""kill -9 of every process in the middle of 200 orders: nothing lost, nothing doubled.

The shop behaves as a shop should: every call has an Idempotency-Key and is repeated until its
outcome is definite.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from onebox.services import SERVICES, service_named
from onebox.supervisor import Onebox, Options
from tests.stack.shop import Product, Shop, open_shop

ORDERS = 200
IN_FLIGHT = 12
VICTIMS = (
    "order", "inventory-vault", "fulfillment", "risk", "ledger", "opener", "kafka", "postgres",
)  # fmt: skip
SETTLE_SECONDS = 120.0
CALL_SECONDS = 60.0

# Which service must have seen which events.
SUBSCRIPTIONS = {
    "risk": ("order.v1.OrderPlaced",),
    "inventory-vault": ("order.v1.OrderPaid",),
    "fulfillment": ("order.v1.FulfillmentRequested",),
    "order": ("risk.v1.OrderAssessed", "fulfillment.v1.LineDelivered"),
    "ledger": (
        "order.v1.OrderPaid",
        "order.v1.OrderCompleted",
        "inventory_vault.v1.StockImported",
    ),
}

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]


@pytest.fixture
async def box(run_dir: Path) -> AsyncIterator[Onebox]:
    options = Options(home=run_dir / "chaos", random_ports=True, echo=False)
    async with Onebox(options) as running:
        yield running


async def test_every_paid_order_is_completed_exactly_once_whatever_is_killed(box: Onebox):
    async with open_shop(box.demo) as shop:
        codes = [f"CHAOS{i:04d}{secrets.token_hex(4).upper()}" for i in range(ORDERS + 50)]
        product = await shop.stocked_product(codes)
        killer = asyncio.create_task(_kill_each(box))
        orders = await _sell(shop, product)
        await killer
        await box.ready()

        done = await _all_settled(shop, orders)

        assert Counter(order["status"] for order in done) == {"completed": ORDERS}
        units = [unit for order in done for unit in _units(order)]
        assert len(units) == len(set(units)) == ORDERS
        await _conserved(shop, product, len(codes))
        await _no_event_lost(box)
        balance = await shop.trial_balance()
        assert balance["balanced"] is True
        assert all(box.restarts(name) >= 1 for name in VICTIMS)


async def _kill_each(box: Onebox) -> None:
    """One victim after the other, each when the one before serves again."""
    for name in VICTIMS:
        await asyncio.sleep(0.4)
        await box.kill(name)
        await box.ready(name)


async def _sell(shop: Shop, product: Product) -> list[str]:
    """Places and pays ORDERS orders, slow enough that the killing happens in their midst."""
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> str:
        async with gate:
            body = shop.order_body([(product.sku, 1)], ip=f"10.{number % 250}.{number // 250}.7")
            order = await _surely(shop, "/v1/orders", body, f"place-{body['reference']}")
            path = f"/v1/orders/{order['id']}/payments"
            await _surely(shop, path, shop.payment_of(order), f"pay-{order['id']}")
            await asyncio.sleep(1.0)
            return str(order["id"])

    return list(await asyncio.gather(*(one(number) for number in range(ORDERS))))


async def _surely(shop: Shop, path: str, body: Any, key: str) -> Any:
    """Repeats the call under one key until the answer is definite."""
    deadline = time.monotonic() + CALL_SECONDS
    last = ""
    while time.monotonic() < deadline:
        try:
            answer = await shop.call(
                "POST", "order", path, json=body, headers={"Idempotency-Key": key}
            )
        except httpx.TransportError as error:
            last = type(error).__name__
        else:
            if answer.status_code < 300:
                return answer.json()
            last = answer.text
            assert answer.status_code in (409, 429, 500, 503), last
        await asyncio.sleep(0.2)
    raise AssertionError(f"{path}: no definite answer in {CALL_SECONDS} s; the last: {last}")


async def _all_settled(shop: Shop, orders: list[str]) -> list[Any]:
    deadline = time.monotonic() + SETTLE_SECONDS
    done: dict[str, Any] = {}
    while len(done) < len(orders) and time.monotonic() < deadline:
        for order_id in orders:
            if order_id not in done:
                order = await shop.order(order_id)
                if order["status"] in {"completed", "refunded", "partially_completed"}:
                    done[order_id] = order
                else:
                    break
        await asyncio.sleep(0.1)
    return [done.get(order_id) or await shop.order(order_id) for order_id in orders]


def _units(order: Any) -> list[str]:
    return [unit["unit_id"] for delivery in order["deliveries"] for unit in delivery["units"]]


async def _conserved(shop: Shop, product: Product, imported: int) -> None:
    levels = await shop.levels(product.pool_id)
    assert levels["sold"] + levels["opened"] == ORDERS
    assert levels["available"] + levels["reserved"] == imported - ORDERS
    figures = await shop.get("inventory-vault", f"/v1/lots/{product.lot_id}/conservation")
    assert figures["holds"] is True, figures


async def _no_event_lost(box: Onebox) -> None:
    """Every published event is in the inbox of every service that must act on it."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        missing = await _missing(box)
        if not missing or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)
    assert missing == {}


async def _missing(box: Onebox) -> dict[str, int]:
    published: dict[str, set[Any]] = {}
    inboxes: dict[str, set[Any]] = {}
    missing: dict[str, int] = {}
    for service in SERVICES:
        connection = await asyncpg.connect(_dsn(box, service.name))
        try:
            for row in await connection.fetch("SELECT event_id, type FROM event_log"):
                published.setdefault(row["type"], set()).add(row["event_id"])
            rows = await connection.fetch("SELECT event_id FROM inbox")
            inboxes[service.name] = {row["event_id"] for row in rows}
            for table in ("outbox_pending", "outbox_dead", "dead_letter"):
                count = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
                if count:
                    missing[f"{service.name} {table}"] = count
        finally:
            await connection.close()
    for name, types in SUBSCRIPTIONS.items():
        for type_ in types:
            events = published[f"lockstock.{type_}"]
            assert events, f"no {type_} was published at all"
            if lost := len(events - inboxes[name]):
                missing[f"{name} {type_}"] = lost
    return missing


def _dsn(box: Onebox, service: str) -> str:
    return f"{box.wiring.admin_url.rsplit('/', 1)[0]}/{service_named(service).database}"
