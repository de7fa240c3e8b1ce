import asyncio

import httpx
import pytest

from tests.inventory_vault.factories import OTHER_MERCHANT, Recipient, Vault


async def _act(vault: Vault, kind: str, id_: str, action: str) -> httpx.Response:
    return await vault.client.post(f"/v1/{kind}/{id_}/{action}", json={"reason": "a test"})


async def _units(rows, vault: Vault) -> list[str]:
    found = await rows(
        "SELECT unit_id FROM unit WHERE merchant_id = :m ORDER BY seq", m=vault.merchant
    )
    return [str(row.unit_id) for row in found]


async def _codes(vault: Vault, pool_id: str, quantity: int) -> list[str]:
    shop = Recipient()
    claimed = await vault.claim(await vault.held(pool_id, quantity), shop)
    return [shop.open(unit["box"])["code"][-1] for unit in claimed.json()["units"]]


async def test_a_quarantined_unit_is_stepped_over_until_it_is_restored(vault: Vault, rows):
    pool_id = await vault.stocked(4)
    units = await _units(rows, vault)

    frozen = await _act(vault, "units", units[1], "quarantine")

    assert (frozen.status_code, frozen.json()["state"]) == (200, "quarantined")
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["quarantined"]) == (3, 1)
    assert await _codes(vault, pool_id, 2) == ["1", "3"]
    restored = await _act(vault, "units", units[1], "restore")
    assert restored.json()["state"] == "available"
    assert await _codes(vault, pool_id, 2) == ["2", "4"]
    assert await vault.conserved(pool_id)


async def test_a_unit_ahead_is_restored_in_its_place(vault: Vault, rows):
    pool_id = await vault.stocked(3)
    unit = (await _units(rows, vault))[1]
    await _act(vault, "units", unit, "quarantine")
    await _act(vault, "units", unit, "restore")
    assert await _codes(vault, pool_id, 3) == ["1", "2", "3"]
    assert await vault.conserved(pool_id)


async def test_a_unit_given_back_can_be_quarantined(vault: Vault, rows):
    pool_id = await vault.stocked(2)
    await vault.release(await vault.held(pool_id, 2))
    unit = (await _units(rows, vault))[0]
    assert (await _act(vault, "units", unit, "quarantine")).status_code == 200
    assert await _codes(vault, pool_id, 1) == ["2"]
    assert (await vault.reserve(pool_id)).status_code == 409
    assert await vault.conserved(pool_id)


@pytest.mark.parametrize("first", ["quarantine", None])
async def test_a_void_unit_is_gone_for_good(vault: Vault, rows, first: str | None):
    pool_id = await vault.stocked(2)
    unit = (await _units(rows, vault))[0]
    if first:
        await _act(vault, "units", unit, first)

    assert (await _act(vault, "units", unit, "void")).json()["state"] == "void"

    for action in ("restore", "quarantine", "void"):
        again = await _act(vault, "units", unit, action)
        assert (again.status_code, again.json()["state"]) == (409, "void")
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["void"], levels["quarantined"]) == (1, 1, 0)
    assert await vault.conserved(pool_id)


async def test_what_is_held_or_sold_is_not_touched(vault: Vault, rows):
    pool_id = await vault.stocked(2)
    await vault.sold(pool_id)
    await vault.held(pool_id)
    for unit, state in zip(await _units(rows, vault), ("sold", "reserved"), strict=True):
        answer = await _act(vault, "units", unit, "void")
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["state"]) == (
            409,
            "not_on_shelf",
            state,
        )
    assert await vault.conserved(pool_id)


async def test_a_lot_is_frozen_restored_and_voided_whole(vault: Vault):
    pool_id = await vault.stocked(5)
    await vault.sold(pool_id)
    held = await vault.held(pool_id)
    lot_id = (await vault.client.get(f"/v1/pools/{pool_id}")).json()["lots"][0]["id"]

    await _act(vault, "lots", lot_id, "quarantine")
    assert (await vault.reserve(pool_id)).json()["code"] == "out_of_stock"
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["quarantined"], levels["sold"]) == (0, 3, 1)
    await vault.release(held)
    assert (await vault.levels(pool_id))["quarantined"] == 4

    await _act(vault, "lots", lot_id, "restore")
    assert (await vault.levels(pool_id))["available"] == 4

    assert (await _act(vault, "lots", lot_id, "void")).json()["state"] == "void"
    again = await _act(vault, "lots", lot_id, "restore")
    assert (again.status_code, again.json()["state"]) == (409, "void")
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["void"], levels["sold"]) == (0, 4, 1)
    assert await vault.conserved(pool_id)


async def test_each_act_is_noted_with_its_reason(vault: Vault, rows):
    await vault.stocked(1)
    unit = (await _units(rows, vault))[0]
    await _act(vault, "units", unit, "quarantine")
    await _act(vault, "units", unit, "restore")
    noted = await rows(
        "SELECT action, reason FROM stock_action WHERE merchant_id = :m ORDER BY id",
        m=vault.merchant,
    )
    assert [(row.action, row.reason) for row in noted] == [
        ("quarantine", "a test"),
        ("restore", "a test"),
    ]


async def test_a_race_between_freezing_and_buying_has_one_winner_per_unit(vault: Vault, rows):
    pool_id = await vault.stocked(20)
    units = await _units(rows, vault)

    acts = [_act(vault, "units", unit, "quarantine") for unit in units]
    answers = await asyncio.gather(*acts, *(vault.reserve(pool_id) for _ in range(20)))

    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    levels = await vault.levels(pool_id)
    assert levels["quarantined"] + levels["reserved"] + levels["available"] == 20
    assert levels["quarantined"] == sum(answer.status_code == 200 for answer in answers)
    assert await vault.conserved(pool_id)


async def test_only_the_owner_may_act(vault: Vault, api, rows):
    pool_id = await vault.stocked(1)
    unit = (await _units(rows, vault))[0]
    lot_id = (await vault.client.get(f"/v1/pools/{pool_id}")).json()["lots"][0]["id"]
    stranger = Vault(await api("stock:write", merchant_id=OTHER_MERCHANT), OTHER_MERCHANT)
    assert (await _act(stranger, "units", unit, "void")).status_code == 404
    assert (await _act(stranger, "lots", lot_id, "void")).status_code == 404
