from tests.inventory_vault.factories import Recipient, Vault


async def test_units_are_held_claimed_and_opened_by_the_recipient_only(vault: Vault):
    pool_id = await vault.stocked(5)
    answer = await vault.reserve(pool_id, 2, reference="order-1")
    assert answer.status_code == 201, answer.text
    held = answer.json()
    assert held["status"] == "held"
    assert held["expires_at"].endswith("Z")
    assert (await vault.levels(pool_id))["reserved"] == 2

    shop = Recipient()
    claimed = await vault.claim(held["id"], shop)

    assert claimed.status_code == 200, claimed.text
    units = claimed.json()["units"]
    assert [shop.open(unit["box"])["code"] for unit in units] == ["CODE-000001", "CODE-000002"]
    assert {unit["mask"] for unit in units} == {"CO****01", "CO****02"}
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["sold"], levels["total"]) == (3, 2, 5)
    assert await vault.conserved(pool_id)
