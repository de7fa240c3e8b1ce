"""Paid and short: every rung of the ladder through every service, told on the timeline, and exact
in the books.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.test_purchase import codes
from tests.e2e.test_top_up import (
    TOP_UP_PRICE,
    Books,
    books_at_rest,
    books_moved,
    make_supplier,
    make_top_up_product,
    timeline_of,
)
from tests.stack.shop import Product, Shop, fresh
from tests.suppliers.simulator import COST, Behaviour, Simulator, running_simulator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PRICE, UNIT_COST = 1990, 1200


@pytest.fixture
async def books(shop: Shop) -> Books:
    return await books_at_rest(shop)


@pytest.fixture
async def refusing() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
async def working() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


async def stocked(shop: Shop, units: int, **shortage: Any) -> Product:
    """A product that says what is tried when it is short."""
    product = await shop.stocked_product(codes(units), price=PRICE, unit_cost=UNIT_COST)
    if shortage:
        policy = {"substitutes": [], "back_order_seconds": 0, **shortage}
        fulfillment = {"kind": "pool", "pool_id": product.pool_id, "shortage": policy}
        [found] = (await shop.get("order", f"/v1/products?sku={product.sku}"))["items"]
        edit = {"fulfillment": fulfillment}
        path = f"/v1/products/{found['id']}"
        answer = await shop.call("PATCH", "order", path, json=edit)
        assert answer.status_code == 200, answer.text
    return product


async def place_and_lose(shop: Shop, *products: Product) -> Any:
    """An order whose hold is lost to somebody else before it is paid, all units with it."""
    order = await shop.place([(product.sku, 1) for product in products])
    story = await timeline_of(shop, order["id"])
    hold = story["reserved"]["reservation_id"]
    path = f"/v1/reservations/{hold}/release"
    await shop.post("inventory-vault", path, {"reason": "taken by mistake"})
    for product in products:
        body = {
            "reference": fresh("other"),
            "lines": [{"pool_id": product.pool_id, "quantity": 1}],
            "hold_seconds": 3600,
        }
        await shop.post("inventory-vault", "/v1/reservations", body)
    return order


async def until_told(shop: Shop, order: Any, kind: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        story = await timeline_of(shop, order["id"])
        if kind in story:
            return story
        await asyncio.sleep(0.1)
    raise AssertionError(story)


async def units_of(shop: Shop, order: Any) -> list[str]:
    found = await shop.order(order["id"])
    return [unit["unit_id"] for it in found["deliveries"] for unit in it["units"]]


async def test_another_lot_is_delivered_and_what_is_short_is_refunded(shop: Shop, books: Books):
    plenty, scarce = await stocked(shop, 1), await stocked(shop, 1)
    order = await place_and_lose(shop, plenty, scarce)
    second = codes(1)
    lot = await shop.stock(plenty.pool_id, second, unit_cost=UNIT_COST)

    await shop.pay(order)
    done = await shop.settled(order["id"], "partially_completed")

    assert {line["sku"]: line["status"] for line in done["lines"]} == {
        plenty.sku: "delivered",
        scarce.sku: "refunded",
    }
    [unit] = await units_of(shop, order)
    assert (await shop.reveal(unit))["code"] == second[0]
    story = await timeline_of(shop, order["id"])
    assert {"line_failed", "shortage_reserve", "line_refunded"} <= story.keys()
    assert story["line_delivered"]["lots"] == {lot: 1}
    await books_moved(shop, books, income=PRICE, expense=UNIT_COST)


async def test_a_substitute_is_delivered_at_the_price_of_the_line(shop: Shop, books: Books):
    other = await shop.stocked_product(codes(1), price=9 * PRICE, unit_cost=700)
    product = await stocked(shop, 1, substitutes=[other.sku])
    order = await place_and_lose(shop, product)

    await shop.pay(order)
    done = await shop.settled(order["id"], "completed")

    assert done["lines"][0]["substitute"]["sku"] == other.sku
    [unit] = await units_of(shop, order)
    assert (await shop.reveal(unit))["code"] in other.codes
    story = await timeline_of(shop, order["id"])
    assert story["shortage_substitute"]["sku"] == other.sku
    await books_moved(shop, books, income=PRICE, expense=700)


async def test_another_supplier_tops_up_when_the_first_one_refuses(
    shop: Shop, books: Books, refusing: Simulator, working: Simulator
):
    first, second = await make_supplier(shop, refusing), await make_supplier(shop, working)
    sku = await make_top_up_product(shop, first, second)
    account = f"139{secrets.randbelow(10**8):08}"
    refusing.behave(account, Behaviour.REFUSED)
    body = shop.order_body([])
    body["lines"] = [{"sku": sku, "quantity": 1, "inputs": {"phone": account}}]
    order = await shop.post("order", "/v1/orders", body)

    await shop.pay(order)
    await shop.settled(order["id"], "completed")

    assert (refusing.charged(account), working.charged(account)) == (0, 1)
    story = await timeline_of(shop, order["id"])
    assert story["line_delivered"]["suppliers"] == [second]
    await books_moved(shop, books, income=TOP_UP_PRICE, expense=COST)


async def test_a_back_order_is_filled_by_an_import(shop: Shop, books: Books):
    product = await stocked(shop, 1, back_order_seconds=3600)
    order = await place_and_lose(shop, product)
    await shop.pay(order)
    await until_told(shop, order, "shortage_back_order")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        waits = (await shop.get("order", "/v1/waits?kind=back_order&limit=200"))["items"]
        own = [it for it in waits if it["order_id"] == order["id"]]
        if own and own[0]["attempts"] and own[0]["state"] == "intent":
            break
        await asyncio.sleep(0.1)
    assert (await shop.order(order["id"]))["status"] == "fulfilling"

    lot = await shop.stock(product.pool_id, codes(1), unit_cost=800)
    await shop.settled(order["id"], "completed")

    story = await timeline_of(shop, order["id"])
    assert story["line_delivered"]["lots"] == {lot: 1}
    await books_moved(shop, books, income=PRICE, expense=800)


async def test_a_back_order_past_its_deadline_is_refunded(shop: Shop, books: Books):
    product = await stocked(shop, 1, back_order_seconds=1)
    order = await place_and_lose(shop, product)

    await shop.pay(order)
    done = await shop.settled(order["id"], "refunded")

    assert done["refunded"] == order["total"]
    story = await timeline_of(shop, order["id"])
    assert story["shortage_goes_on"]["reason"] == "out_of_stock"
    assert {"shortage_back_order", "refund_due", "line_refunded"} <= story.keys()
    await books_moved(shop, books, income=0, expense=0)
