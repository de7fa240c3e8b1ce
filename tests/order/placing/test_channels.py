"""What a channel's rules mean for an order placed through it."""

from typing import Any

import httpx
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from tests.order.factories import MERCHANT, POOL
from tests.order.vaults import ScriptedVault


async def a_channel(api: httpx.AsyncClient, **rules: Any) -> str:
    for sku in ("GAME-100", "GAME-200"):
        product = {
            "sku": sku,
            "name": sku,
            "fulfillment": {"kind": "pool", "pool_id": str(POOL)},
            "price": {"amount": 1990, "currency": "CNY"},
        }
        await api.post("/v1/products", json=product)
    return str((await api.post("/v1/channels", json={"name": "x", **rules})).json()["id"])


async def place(api: httpx.AsyncClient, channel_id: str, *skus: str) -> httpx.Response:
    body = {
        "channel_id": channel_id,
        "reference": f"ref-{new_id()}",
        "customer": {"id": "buyer-7"},
        "lines": [{"sku": sku, "quantity": 1} for sku in skus],
    }
    return await api.post("/v1/orders", json=body)


async def test_a_product_that_the_channel_does_not_sell_is_refused_before_anything_is_held(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    channel = await a_channel(api, denied_skus=["GAME-200"])

    refused = await place(api, channel, "GAME-100", "GAME-200")

    assert (refused.status_code, refused.json()["code"]) == (409, "not_sold_here")
    assert refused.json()["skus"] == ["GAME-200"]
    assert vault.calls == []
    assert (await place(api, channel, "GAME-100")).status_code == 201


async def test_a_channel_asks_the_vault_for_units_that_stay_valid(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    channel = await a_channel(api, min_valid_seconds=86_400)

    await place(api, channel, "GAME-100")

    [(_, sent)] = vault.calls
    assert sent["items"][0]["lines"][0]["min_valid_seconds"] == 86_400


async def test_a_suspended_merchant_takes_no_orders(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    channel = await a_channel(api)
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE merchant SET suspended_at = now() WHERE id = :id"), {"id": MERCHANT}
        )

    refused = await place(api, channel, "GAME-100")

    assert (refused.status_code, refused.json()["code"]) == (403, "merchant_suspended")
    assert vault.calls == []
