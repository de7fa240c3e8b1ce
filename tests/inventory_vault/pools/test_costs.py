"""What units of several pools cost at most, in one answer."""

from typing import Any

from kit.ids import new_id
from tests.inventory_vault.factories import OTHER_MERCHANT, Vault

COSTS = "/v1/pools/costs"


async def costs_of(vault: Vault, *pools: str) -> dict[str, Any]:
    answer = await vault.client.get(COSTS, params={"pool_id": list(pools)})
    assert answer.status_code == 200, answer.text
    return {item["pool_id"]: item["unit_costs"] for item in answer.json()["items"]}


def cny(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}


async def test_the_dearest_lot_with_units_for_sale_counts_in_each_currency(vault: Vault):
    several, sold_out, empty = await vault.pool(), await vault.pool(), await vault.pool()
    await vault.add_lot(several, 1, prefix="DEAR", unit_cost="2000", currency="CNY")
    await vault.sold(several)  # the first lot is handed out first
    await vault.add_lot(several, 2, prefix="MID", unit_cost="950", currency="CNY")
    await vault.add_lot(several, 2, prefix="LOW", unit_cost="900", currency="CNY")
    await vault.add_lot(several, 1, prefix="FOREIGN", unit_cost="7", currency="USD")
    await vault.add_lot(sold_out, 1, prefix="GONE", unit_cost="100", currency="CNY")
    await vault.sold(sold_out)

    found = await costs_of(vault, several, sold_out, empty, several)

    assert found == {
        several: [cny(950), {"amount": 7, "currency": "USD"}],
        sold_out: [],
        empty: [],
    }


async def test_a_pool_of_another_merchant_or_of_nobody_has_no_costs(vault: Vault, api):
    pool_id, nobodys = await vault.stocked(1), str(new_id())
    stranger = await api("stock:read", merchant_id=OTHER_MERCHANT)

    answer = await stranger.get(COSTS, params={"pool_id": [pool_id, nobodys]})

    assert [item["unit_costs"] for item in answer.json()["items"]] == [[], []]


async def test_units_that_are_held_are_not_for_sale_and_nobody_asks_for_too_many(vault: Vault):
    pool_id = await vault.stocked(1)
    await vault.held(pool_id)

    assert await costs_of(vault, pool_id) == {pool_id: []}
    for pools in ([], [str(new_id()) for _ in range(101)]):
        answer = await vault.client.get(COSTS, params={"pool_id": pools})
        assert answer.status_code == 422, answer.text
