"""What is tried for a short line: the product's word, else the channel's, else the merchant's."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from tests.order.conftest import ApiClient
from tests.order.factories import OTHER_MERCHANT, POOL, SHOP

POLICY = "/v1/shortage-policy"


def waits(seconds: int) -> dict[str, Any]:
    return {"substitutes": [], "back_order_seconds": seconds}


async def terms_of_a_new_order(db: Database, api: httpx.AsyncClient) -> dict[str, Any]:
    body = {
        "channel_id": str(SHOP),
        "reference": "r-1",
        "customer": {"id": "b"},
        "lines": [{"sku": "GAME-100", "quantity": 1}],
    }
    answer = await api.post("/v1/orders", json=body)
    assert answer.status_code == 201, answer.text
    async with db.read() as tx:
        found = (await tx.execute(text("SELECT terms FROM order_line"))).scalar_one()
    return dict(found)


@pytest.mark.parametrize(
    ("merchant", "channel", "product", "counts"),
    [
        (None, None, None, None),
        (60, None, None, 60),
        (60, 120, None, 120),
        (60, 120, 180, 180),
        (60, 120, 0, 0),
    ],
)
async def test_the_nearest_word_counts_and_stays_with_the_order(
    db: Database,
    api: httpx.AsyncClient,
    merchant: int | None,
    channel: int | None,
    product: int | None,
    counts: int | None,
) -> None:
    rules = {place: None if it is None else waits(it) for place, it in
             enumerate((merchant, channel, product))}  # fmt: skip
    assert (await api.put(POLICY, json={"shortage": rules[0]})).status_code == 200
    assert (await api.get(POLICY)).json() == {"shortage": rules[0]}
    answer = await api.patch(f"/v1/channels/{SHOP}", json={"shortage": rules[1]})
    assert answer.json()["shortage"] == rules[1]
    fulfillment = {"kind": "pool", "pool_id": str(POOL), "shortage": rules[2]}
    body = {
        "sku": "GAME-100",
        "name": "Game card",
        "fulfillment": fulfillment,
        "price": {"amount": 1990, "currency": "CNY"},
    }
    assert (await api.post("/v1/products", json=body)).status_code == 201

    terms = await terms_of_a_new_order(db, api)

    assert terms.get("shortage") == (None if counts is None else waits(counts))


async def test_a_policy_is_its_merchants_alone(open_api: ApiClient, api: httpx.AsyncClient) -> None:
    await api.put(POLICY, json={"shortage": waits(60)})
    stranger = await open_api(merchant_id=OTHER_MERCHANT)
    reader = await open_api(["catalogue:read"])

    assert (await stranger.get(POLICY)).json() == {"shortage": None}
    assert (await reader.put(POLICY, json={"shortage": None})).status_code == 403
