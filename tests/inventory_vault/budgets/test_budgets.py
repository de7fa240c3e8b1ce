"""What one unpaid holder may have of a pool."""

import asyncio

import httpx
import pytest

from inventory_vault.budgets.domain import allowance
from inventory_vault.pools.domain import HoldBudget
from lockstock.order.v1.order_events_pb2 import OrderPaid
from tests.inventory_vault.factories import Vault, an_event

IP = {"ip": "203.0.113.7"}
BUDGET = {"ip": {"share_percent": 10, "units_min": 2}}


@pytest.mark.parametrize(
    ("available", "own", "comfort", "allowed"),
    [(100, 0, 0, 10), (90, 10, 0, 10), (100, 0, 200, 5), (20, 0, 200, 2), (0, 9, 0, 2)],
)
def test_a_budget_is_a_share_that_tightens_below_comfort(
    available: int, own: int, comfort: int, allowed: int
):
    assert allowance(HoldBudget(10, 2), available, own, comfort) == allowed


async def _hold(vault: Vault, pool_id: str, quantity: int = 1, **holder: str) -> httpx.Response:
    return await vault.reserve(pool_id, quantity, holder=holder or IP)


async def test_one_address_with_50_callers_never_holds_more_than_its_budget(vault: Vault, rows):
    pool_id = await vault.stocked(100, hold_budget=BUDGET)
    answers = await asyncio.gather(*(_hold(vault, pool_id) for _ in range(50)))
    assert sum(answer.status_code == 201 for answer in answers) == 10
    refused = next(answer for answer in answers if answer.status_code == 409).json()
    assert (refused["code"], refused["dimension"]) == ("hold_budget_exceeded", "ip")
    assert refused["held"] == refused["allowed"] == 10
    again = (await _hold(vault, pool_id)).json()
    assert again["retry_at"], "when the first of its holds runs out"
    others = await asyncio.gather(*(_hold(vault, pool_id, ip=f"192.0.2.{n}") for n in range(9)))
    assert {answer.status_code for answer in others} == {201}
    stored = await rows("SELECT holder FROM hold_share WHERE merchant_id = :m", m=vault.merchant)
    assert len(stored) == 19
    assert all(b"203.0" not in bytes(row.holder) for row in stored)


@pytest.mark.parametrize("end", ["claim", "release", "pay"])
async def test_paying_or_giving_back_frees_the_budget(vault: Vault, end: str, deliver, rows):
    pool_id = await vault.stocked(20, hold_budget=BUDGET)
    held = (await _hold(vault, pool_id, 2)).json()["id"]
    assert (await _hold(vault, pool_id)).status_code == 409
    if end == "claim":
        await vault.claim(held)
    elif end == "release":
        await vault.release(held)
    else:
        await deliver(an_event(OrderPaid(reservation_id=held), key=held))
    assert (await _hold(vault, pool_id)).status_code == 201
    left = await rows("SELECT units FROM hold_share WHERE merchant_id = :m", m=vault.merchant)
    assert [row.units for row in left] == [1]


async def test_the_scarcer_the_stock_the_less_one_may_hold(vault: Vault):
    pool_id = await vault.stocked(100, hold_budget=BUDGET, low_stock_threshold=100)
    first = await _hold(vault, pool_id, 10)
    assert first.status_code == 201
    await vault.held(pool_id, 60)
    other = await _hold(vault, pool_id, 3, ip="192.0.2.1")
    assert (other.status_code, other.json()["allowed"]) == (409, 2)


async def test_holds_without_a_holder_and_pools_without_a_budget_are_free(vault: Vault, rows):
    budgeted = await vault.stocked(20, hold_budget=BUDGET, prefix="A")
    free = await vault.stocked(20, prefix="B")
    assert (await vault.reserve(budgeted, 10)).status_code == 201
    assert (await _hold(vault, budgeted, 10, buyer="b")).status_code == 201
    assert (await _hold(vault, free, 10)).status_code == 201
    assert await rows("SELECT 1 FROM hold_share WHERE merchant_id = :m", m=vault.merchant) == []


async def test_a_batch_counts_its_own_items_and_names_the_budget(vault: Vault):
    pool_id = await vault.stocked(20, hold_budget=BUDGET)
    items = [
        {
            "reference": f"b-{n}",
            "lines": [{"pool_id": pool_id, "quantity": 1}],
            "holder": IP,
        }
        for n in range(3)
    ]
    answer = await vault.client.post("/v1/reservations/batch", json={"items": items})
    results = answer.json()["items"]
    assert [r["result"] for r in results] == ["held", "held", "hold_budget_exceeded"]
    assert results[2]["problem"]["budget"]["allowed"] == 2


async def test_a_wish_for_validity_counts_too(vault: Vault):
    pool_id = await vault.stocked(20, hold_budget=BUDGET)
    lines = [{"pool_id": pool_id, "quantity": 3, "min_valid_seconds": 60}]
    body = {"reference": "v", "lines": lines, "holder": IP}
    answer = await vault.client.post("/v1/reservations", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "hold_budget_exceeded")
    lines[0]["quantity"] = 2
    assert (await vault.client.post("/v1/reservations", json=body)).status_code == 201
    assert (await _hold(vault, pool_id)).status_code == 409
