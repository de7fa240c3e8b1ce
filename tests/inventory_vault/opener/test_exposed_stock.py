"""Stock under a compromised key that was not on the shelf when the key was stopped."""

from pathlib import Path
from typing import Any

from inventory_vault.opener.compromise import compromise
from inventory_vault.settings import Settings
from tests.inventory_vault.boxes.factories import a_shop
from tests.inventory_vault.factories import Vault

WHY = {"reason": "let us see"}


async def test_what_is_sealed_under_a_compromised_key_never_comes_to_the_shelf(
    vault: Vault, settings: Settings, rows: Any, folder: Path
):
    pool_id = await vault.pool()
    asleep = (await vault.add_lot(pool_id, 2, prefix="ASLEEP", needs_activation="true"))["lot_id"]
    shown = (await vault.add_lot(pool_id, 2, prefix="SHOWN"))["lot_id"]
    shop = await a_shop(vault, pool_id=pool_id)
    await shop.stored(shop.units(["ON-ITS-WAY-1"]))
    [unit, _] = (await vault.client.get("/v1/units", params={"lot_id": asleep})).json()["items"]
    [key] = await rows("SELECT key_id FROM sealing_key WHERE state = 'active'")

    await compromise(settings, ["--key", str(key.key_id), "--out", str(folder / "cancel.csv")])
    answers = [
        await vault.client.post(f"/v1/lots/{asleep}/activate", json=WHY),
        await vault.client.post(f"/v1/units/{unit['id']}/activate", json=WHY),
        await vault.client.post(f"/v1/lots/{shown}/restore", json=WHY),
        await vault.client.post(
            "/v1/stock-actions",
            json={"action": "restore", "filter": {"pool_id": pool_id}, **WHY},
        ),
        await shop.complete(),
    ]

    refused = [(answer.status_code, answer.json().get("code")) for answer in answers]
    assert refused == [(409, "lot_exposed")] * len(answers)
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["inactive"], levels["quarantined"]) == (0, 2, 2)
    assert (await vault.reserve(pool_id)).json()["code"] == "out_of_stock"
    for lot_id in (asleep, shown):
        voided = await vault.client.post(f"/v1/lots/{lot_id}/void", json=WHY)
        assert voided.status_code == 200, voided.text
