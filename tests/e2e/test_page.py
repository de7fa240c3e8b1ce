"""The buyer's page with the whole set behind it: what only its neighbours can tell."""

import asyncio
import time
from typing import Any

import httpx

from tests.e2e.test_purchase import codes
from tests.stack.shop import PATIENCE_SECONDS, Shop

SUPPORT = 3
"""Orders that make a recommendation: the order service's own default."""


async def _delivered(shop: Shop, *skus: str) -> str:
    """A paid order of these; the address of its page."""
    order = await shop.place([(sku, 1) for sku in skus])
    await shop.pay(order)
    done = await shop.settled(order["id"], "completed")
    return str(done["deliveries"][0]["url"])


async def _recommended(url: str) -> Any:
    async with httpx.AsyncClient() as buyer:
        answer = await buyer.get(f"{url}/recommendations")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_the_page_recommends_what_others_bought_with_it(shop: Shop) -> None:
    one = await shop.stocked_product(codes(SUPPORT + 40))
    other = await shop.stocked_product(codes(SUPPORT + 1), price=2990)
    settings = {"shop_name": "Star", "product_url": "https://shop.example/p/{sku}"}
    put = await shop.call("PUT", "fulfillment", "/v1/page-settings", json=settings)
    assert put.status_code == 200, put.text
    for _ in range(SUPPORT):
        await _delivered(shop, one.sku, other.sku)

    # Orders are counted in the background, and each page keeps the answer for a while.
    deadline = time.monotonic() + PATIENCE_SECONDS
    items: list[Any] = []
    for _ in range(30):
        items = await _recommended(await _delivered(shop, one.sku))
        if items or time.monotonic() > deadline:
            break
        await asyncio.sleep(1)

    assert items == [
        {
            "name": "Test key",
            "price": {"amount": 2990, "currency": "CNY"},
            "url": f"https://shop.example/p/{other.sku}",
        }
    ]


async def test_a_renewed_link_opens_the_page_and_the_first_one_has_ended(shop: Shop) -> None:
    product = await shop.stocked_product(codes(1))
    first = await _delivered(shop, product.sku)
    order_id = (await shop.get("fulfillment", "/v1/deliveries?limit=1"))["items"][0]["order_id"]
    listed = await shop.get("fulfillment", f"/v1/deliveries?order_id={order_id}")
    [delivery] = listed["items"]
    new = await shop.post("fulfillment", f"/v1/deliveries/{delivery['id']}/link", {})
    async with httpx.AsyncClient() as buyer:
        assert (await buyer.get(new["url"])).status_code == 200
        assert (await buyer.get(first)).status_code == 410
    for _ in range(600):
        told = (await shop.order(order_id))["deliveries"][0]["url"]
        if told == new["url"]:
            break
        await asyncio.sleep(0.05)
    assert told == new["url"]
