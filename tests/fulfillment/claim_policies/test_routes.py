"""Rules about claims, as a merchant sets them."""

from typing import Any

import pytest

from tests.fulfillment.after_sales import Shop


async def test_a_policy_is_set_whole_and_read_back_by_product(shop: Shop) -> None:
    await shop.policy(auto_unseen=True, lot_norm=200)
    await shop.policy(sku="STEAM-50", auto_hours=12)
    await shop.policy(sku="STEAM-50", buyer_claims_max=5)

    items = (await shop.client.get("/v1/claim-policies")).json()["items"]

    assert [(it["sku"], it["auto_unseen"], it["auto_hours"]) for it in items] == [
        (None, True, 0),
        ("STEAM-50", False, 0),
    ]
    assert (items[0]["lot_norm"], items[1]["buyer_claims_max"]) == (200, 5)
    first = (await shop.client.get("/v1/claim-policies?limit=1")).json()
    rest = (await shop.client.get(f"/v1/claim-policies?cursor={first['next_cursor']}")).json()
    assert first["items"] + rest["items"] == items


@pytest.mark.parametrize(
    "body",
    [
        {"auto_hours": -1},
        {"lot_norm": 10_001},
        {"lot_claims_min": 1},
        {"when_short": "keep"},
        {"sku": "two words"},
        {"merchant_id": "x"},
    ],
)
async def test_senseless_policies_are_refused(shop: Shop, body: dict[str, Any]) -> None:
    assert (await shop.client.put("/v1/claim-policies", json=body)).status_code == 422
