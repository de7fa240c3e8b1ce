"""What is known of a sold unit when somebody complains about it, and its first view as an event."""

from typing import Any

from kit.ids import new_id
from tests.inventory_vault.factories import Recipient, Vault


async def _evidence(vault: Vault, unit_id: str) -> Any:
    answer = await vault.client.get(f"/v1/units/{unit_id}/evidence")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_evidence_names_sale_views_lot_and_cost(vault: Vault) -> None:
    pool_id = await vault.stocked(5)
    first, _ = await vault.sold(pool_id, 2)

    fresh = await _evidence(vault, first["unit_id"])
    for _ in range(2):
        assert (await vault.reveal(first["unit_id"], Recipient())).status_code == 200
    seen = await _evidence(vault, first["unit_id"])

    assert (fresh["views"], fresh["first_viewed_at"], fresh["handed_out_at"]) == (0, None, None)
    assert (fresh["lot_id"], fresh["supplier"]) == (first["lot_id"], "ACME")
    assert fresh["unit_cost"] == {"amount": 500, "currency": "CNY"}
    assert (fresh["lot_sold"], fresh["lot_state"]) == (2, "on_shelf")
    assert (seen["views"], seen["state"]) == (2, "opened")
    assert fresh["sold_at"] < seen["first_viewed_at"] < seen["last_viewed_at"]


async def test_a_handout_to_the_shop_is_no_view_but_told(vault: Vault) -> None:
    claimed = await vault.claim(await vault.held(await vault.stocked(1)), Recipient())
    [unit] = claimed.json()["units"]
    found = await _evidence(vault, unit["unit_id"])
    assert (found["views"], found["handed_out_at"] is not None) == (0, True)


async def test_there_is_no_evidence_of_what_is_not_sold(vault: Vault) -> None:
    pool_id = await vault.stocked(1)
    listed = await vault.client.get("/v1/units", params={"pool_id": pool_id})
    answer = await vault.client.get(f"/v1/units/{listed.json()['items'][0]['id']}/evidence")
    assert (answer.status_code, answer.json()["code"]) == (409, "unit_not_sold")
    assert (await vault.client.get(f"/v1/units/{new_id()}/evidence")).status_code == 404


async def test_the_first_view_is_told_once(vault: Vault, rows: Any) -> None:
    [unit] = await vault.sold(await vault.stocked(1))
    for _ in range(3):
        assert (await vault.reveal(unit["unit_id"], Recipient())).status_code == 200
    told = await rows(
        "SELECT count(*) AS n FROM event_log WHERE type LIKE '%UnitOpened' AND merchant_id = :m",
        m=vault.merchant,
    )
    assert told[0].n == 1


async def test_a_claim_tells_when_a_unit_ends_and_whether_it_is_redeemed_here(
    vault: Vault,
) -> None:
    pool_id = await vault.pool("voucher")
    ends_at = "2099-01-01T00:00:00Z"
    await vault.add_lot(pool_id, 1, expires_at=ends_at)
    [voucher] = await vault.sold(pool_id)
    [code] = await vault.sold(await vault.stocked(1, prefix="OTHER"))
    assert (voucher["expires_at"], voucher["is_redeemable"]) == (ends_at, True)
    assert (code["expires_at"], code["is_redeemable"]) == (None, False)
