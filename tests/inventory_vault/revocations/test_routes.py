"""Sold units that are taken out of use: replaced, or paid back."""

import asyncio
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.ids import new_id
from tests.inventory_vault.factories import OTHER_MERCHANT, Recipient, Vault
from tests.inventory_vault.tills import Till


async def _revoke(vault: Vault, unit_id: str, reason: str = "claim 1") -> httpx.Response:
    return await vault.client.post(f"/v1/units/{unit_id}/revoke", json={"reason": reason})


async def test_a_revoked_unit_is_shown_to_nobody_and_stays_sold(vault: Vault, rows: Any) -> None:
    pool_id = await vault.stocked(2)
    [unit] = await vault.sold(pool_id)

    done = await _revoke(vault, unit["unit_id"])
    again = await _revoke(vault, unit["unit_id"], "another word")

    assert done.status_code == again.status_code == 200, done.text
    assert done.json() == again.json()
    assert (done.json()["reason"], done.json()["lot_id"]) == ("claim 1", unit["lot_id"])
    shown = await vault.reveal(unit["unit_id"], Recipient())
    assert (shown.status_code, shown.json()["code"]) == (409, "unit_revoked")
    read = (await vault.client.get(f"/v1/units/{unit['unit_id']}")).json()
    assert (read["state"], read["revoke_reason"]) == ("sold", "claim 1")
    assert read["revoked_at"] == done.json()["revoked_at"]
    assert (await vault.levels(pool_id))["sold"] == 1
    assert await vault.conserved(pool_id)
    told = await rows(
        "SELECT count(*) AS n FROM audit_pending WHERE action = 'unit.revoked'"
        " AND merchant_id = :m",
        m=vault.merchant,
    )
    sequenced = await rows(
        "SELECT count(*) AS n FROM audit_entry WHERE action = 'unit.revoked' AND merchant_id = :m",
        m=vault.merchant,
    )
    assert told[0].n + sequenced[0].n == 1


async def test_a_repeated_claim_hands_out_no_box_of_a_revoked_unit(vault: Vault, rows: Any) -> None:
    pool_id = await vault.stocked(3)
    hold, other = await vault.held(pool_id, 2), await vault.held(pool_id)
    shop = Recipient()
    first = await vault.claim(hold, shop)
    [unit, kept] = first.json()["units"]
    assert (await vault.claim(other, shop)).status_code == 200
    assert (await vault.claim(hold, shop)).json() == first.json() | {"units": ANY}

    assert (await _revoke(vault, unit["unit_id"])).status_code == 200
    again = await vault.claim(hold, Recipient())

    assert (again.status_code, again.json()["code"]) == (409, "unit_revoked")
    handed = await rows("SELECT count(*) AS n FROM handout WHERE reservation_id = :r", r=hold)
    assert handed[0].n == 2
    plain = await vault.claim(hold)
    assert [it["unit_id"] for it in plain.json()["units"]] == [unit["unit_id"], kept["unit_id"]]
    assert (await vault.claim(other, shop)).status_code == 200
    assert (await vault.reveal(kept["unit_id"], Recipient())).status_code == 200


async def test_only_what_is_sold_and_ones_own_can_be_revoked(vault: Vault, api: Any) -> None:
    pool_id = await vault.stocked(2)
    [unit] = await vault.sold(pool_id)
    listed = await vault.client.get("/v1/units", params={"pool_id": pool_id, "state": "available"})
    [free] = listed.json()["items"]
    stranger = Vault(await api("stock:write", merchant_id=OTHER_MERCHANT), OTHER_MERCHANT)

    assert (await _revoke(vault, free["id"])).json()["code"] == "unit_not_sold"
    assert (await _revoke(stranger, unit["unit_id"])).status_code == 404
    assert (await _revoke(vault, str(new_id()))).status_code == 404


async def test_a_redeemed_voucher_is_not_revoked_and_a_revoked_one_not_redeemed(
    vault: Vault, till: Till
) -> None:
    pool_id = await vault.stocked(2, kind="voucher")
    used, wasted = await vault.sold(pool_id, 2)
    body = {"merchant_reference": str(new_id())}

    first = await vault.client.post(
        "/v1/redemptions", json={"unit_id": used["unit_id"], "merchant_reference": str(new_id())}
    )
    assert first.status_code == 201, first.text
    refused = await _revoke(vault, used["unit_id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "unit_redeemed")

    assert (await _revoke(vault, wasted["unit_id"])).status_code == 200
    blocked = await vault.client.post(
        "/v1/redemptions", json={"unit_id": wasted["unit_id"], **body}
    )
    assert (blocked.status_code, blocked.json()["code"]) == (409, "voucher_blocked")


@pytest.mark.parametrize("units", [12])
async def test_of_a_redemption_and_a_revocation_that_race_one_wins(
    vault: Vault, units: int
) -> None:
    sold = await vault.sold(await vault.stocked(units, kind="voucher"), units)

    async def both(unit_id: str) -> tuple[int, int]:
        redeemed, revoked = await asyncio.gather(
            vault.client.post(
                "/v1/redemptions",
                json={"unit_id": unit_id, "merchant_reference": str(new_id())},
            ),
            _revoke(vault, unit_id),
        )
        return redeemed.status_code, revoked.status_code

    outcomes = await asyncio.gather(*(both(unit["unit_id"]) for unit in sold))

    assert set(outcomes) <= {(201, 409), (409, 200)}


async def test_the_database_keeps_a_revocation_for_good(vault: Vault, db: Any) -> None:
    [unit] = await vault.sold(await vault.stocked(1))
    assert (await _revoke(vault, unit["unit_id"])).status_code == 200
    with pytest.raises(DBAPIError, match="append-only"):
        async with db.transaction() as tx:
            await tx.execute(text("DELETE FROM unit_revocation"))
