"""Changing a pool's settings."""

from tests.inventory_vault.factories import OTHER_MERCHANT, Vault


async def test_only_what_is_given_changes_and_null_takes_a_limit_away(vault: Vault):
    pool_id = await vault.pool(
        low_stock_threshold=10, hold_budget={"ip": {"share_percent": 5, "units_min": 2}}
    )
    url = f"/v1/pools/{pool_id}"

    changed = await vault.client.patch(url, json={"name": "another", "low_cover_days": 3})

    assert changed.status_code == 200, changed.text
    pool = changed.json()
    assert (pool["name"], pool["low_stock_threshold"], pool["low_cover_days"]) == ("another", 10, 3)
    assert pool["hold_budget"]["ip"] == {"share_percent": 5, "units_min": 2}
    cleared = await vault.client.patch(url, json={"low_stock_threshold": None, "hold_budget": None})
    assert (cleared.json()["low_stock_threshold"], cleared.json()["hold_budget"]) == (None, None)
    assert (await vault.client.patch(url, json={})).json() == cleared.json()


async def test_wrong_settings_are_refused(vault: Vault):
    url = f"/v1/pools/{await vault.pool()}"
    for body in (
        {"name": None},
        {"low_cover_days": 0},
        {"hold_budget": {"planet": {"share_percent": 5}}},
        {"hold_budget": {"ip": {"share_percent": 101}}},
        {"unit_kind": "card"},
    ):
        assert (await vault.client.patch(url, json=body)).status_code == 422, body


async def test_only_the_owner_changes_it_and_it_is_in_the_log(vault: Vault, api, rows):
    pool_id = await vault.pool()
    stranger = await api("stock:write", merchant_id=OTHER_MERCHANT)
    assert (await stranger.patch(f"/v1/pools/{pool_id}", json={"name": "x"})).status_code == 404
    await vault.client.patch(f"/v1/pools/{pool_id}", json={"name": "x"})
