"""What is stored as not yet active is not sold before somebody activates it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from inventory_vault.withdrawals import service as withdrawals
from tests.inventory_vault.factories import OTHER_MERCHANT, Vault
from tests.inventory_vault.raw_lots import add_raw_lot

NOW = datetime.now(UTC)


async def _act(vault: Vault, kind: str, id_: str, action: str) -> httpx.Response:
    return await vault.client.post(f"/v1/{kind}/{id_}/{action}", json={"reason": "a test"})


async def _units(rows, vault: Vault) -> list[str]:
    found = await rows(
        "SELECT unit_id FROM unit WHERE merchant_id = :m ORDER BY seq", m=vault.merchant
    )
    return [str(row.unit_id) for row in found]


async def test_an_inactive_lot_is_counted_and_not_sold_until_it_is_activated(vault: Vault, db):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 4, needs_activation=True)

    levels = await vault.levels(pool_id)
    assert (levels["inactive"], levels["available"], levels["total"]) == (4, 0, 4)
    assert (await vault.reserve(pool_id)).json()["lines"][0]["available"] == 0
    assert await vault.conserved(pool_id)

    active = await _act(vault, "lots", lot_id, "activate")

    assert (active.status_code, active.json()["state"]) == (200, "on_shelf")
    assert active.json()["levels"]["available"] == 4
    assert len(await vault.sold(pool_id, 4)) == 4
    assert await vault.conserved(pool_id)


async def test_activating_again_is_refused(vault: Vault, db):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 1, needs_activation=True)
    await _act(vault, "lots", lot_id, "activate")
    again = await _act(vault, "lots", lot_id, "activate")
    assert (again.status_code, again.json()["code"], again.json()["state"]) == (
        409,
        "not_on_shelf",
        "on_shelf",
    )


async def test_one_unit_of_an_inactive_lot_is_activated_and_the_others_stay(vault: Vault, db, rows):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 5, needs_activation=True)
    units = await _units(rows, vault)

    active = await _act(vault, "units", units[2], "activate")

    assert (active.status_code, active.json()["state"]) == (200, "available")
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["inactive"]) == (1, 4)
    assert await vault.conserved(pool_id)
    assert [unit["unit_id"] for unit in await vault.sold(pool_id)] == [units[2]]
    assert (await vault.reserve(pool_id)).status_code == 409
    again = await _act(vault, "units", units[2], "activate")
    assert (again.status_code, again.json()["state"]) == (409, "sold")

    rest = await _act(vault, "lots", lot_id, "activate")

    assert rest.json()["levels"]["available"] == 4
    sold = [unit["unit_id"] for unit in await vault.sold(pool_id, 4)]
    assert sold == [units[0], units[1], units[3], units[4]]
    assert await vault.conserved(pool_id)


async def test_the_inactive_may_be_voided_but_not_quarantined(vault: Vault, db, rows):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 4, needs_activation=True)
    units = await _units(rows, vault)

    frozen = await _act(vault, "units", units[0], "quarantine")
    assert (frozen.status_code, frozen.json()["state"]) == (409, "inactive")
    assert (await _act(vault, "lots", lot_id, "quarantine")).json()["state"] == "inactive"
    assert (await _act(vault, "units", units[0], "void")).json()["state"] == "void"
    await _act(vault, "units", units[1], "activate")
    assert (await _act(vault, "units", units[2], "void")).json()["state"] == "void"

    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["inactive"], levels["void"]) == (1, 1, 2)
    again = await _act(vault, "units", units[2], "activate")
    assert (again.status_code, again.json()["state"]) == (409, "void")
    assert await vault.conserved(pool_id)


async def test_a_lot_that_was_never_active_may_be_voided_whole(vault: Vault, db):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 3, needs_activation=True)
    assert (await _act(vault, "lots", lot_id, "void")).json()["state"] == "void"
    assert (await _act(vault, "lots", lot_id, "activate")).status_code == 409
    assert (await vault.levels(pool_id))["void"] == 3


async def test_units_of_a_void_lot_are_out_of_reach(vault: Vault, rows):
    pool_id = await vault.stocked(2)
    lot_id = (await vault.client.get(f"/v1/pools/{pool_id}")).json()["lots"][0]["id"]
    await _act(vault, "lots", lot_id, "void")
    unit = (await _units(rows, vault))[0]
    frozen = await _act(vault, "units", unit, "quarantine")
    assert (frozen.status_code, frozen.json()["state"]) == (409, "void")


async def test_a_mixed_lot_activated_unit_by_unit_keeps_its_order_of_expiry(vault: Vault, db, rows):
    pool_id = await vault.pool()
    expiries = [NOW - timedelta(days=1), *(NOW + timedelta(days=n) for n in range(1, 4)), None]
    await add_raw_lot(db, vault.merchant, pool_id, 5, needs_activation=True, expiries=expiries)
    units = await _units(rows, vault)
    for unit in (units[4], units[2], units[1]):
        assert (await _act(vault, "units", unit, "activate")).json()["state"] == "available"
    assert (await _act(vault, "units", units[0], "activate")).json()["state"] == "expired"
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["inactive"], levels["expired"]) == (3, 1, 1)
    sold = [unit["unit_id"] for unit in await vault.sold(pool_id, 3)]
    assert sold == [units[1], units[2], units[4]]
    assert await vault.conserved(pool_id)


async def test_single_units_of_a_very_large_inactive_lot_are_refused(
    vault: Vault, db, rows, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(withdrawals, "SPREAD_UNITS_MAX", 3)
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 4, needs_activation=True)
    unit = (await _units(rows, vault))[0]
    refused = await _act(vault, "units", unit, "activate")
    assert (refused.status_code, refused.json()["code"]) == (409, "lot_too_large")
    assert (await vault.levels(pool_id))["inactive"] == 4


async def test_only_the_owner_activates(vault: Vault, db, rows, api):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 1, needs_activation=True)
    stranger = Vault(await api("stock:write", merchant_id=OTHER_MERCHANT), OTHER_MERCHANT)
    unit = (await _units(rows, vault))[0]
    assert (await _act(stranger, "lots", lot_id, "activate")).status_code == 404
    assert (await _act(stranger, "units", unit, "activate")).status_code == 404
