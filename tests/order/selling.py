"""What tests of prices sell: products, quotes and orders of the shop."""

from typing import Any
from uuid import UUID

import httpx

from kit.ids import new_id
from tests.order.factories import EMAIL, POOL, SHOP


def cny(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}


async def add_product(api: httpx.AsyncClient, sku: str, price: int, **given: Any) -> dict[str, Any]:
    body = {
        "sku": sku,
        "name": f"Card {sku}",
        "fulfillment": {"kind": "pool", "pool_id": str(POOL)},
        "price": cny(price),
        **given,
    }
    answer = await api.post("/v1/products", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def a_quote_body(
    *lines: tuple[str, int],
    channel_id: UUID = SHOP,
    customer_id: str = "buyer-7",
    groups: list[str] | None = None,
    codes: list[str] | None = None,
    **customer: Any,
) -> dict[str, Any]:
    return {
        "channel_id": str(channel_id),
        "customer": {"id": customer_id, "groups": groups or [], **customer},
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        "coupon_codes": codes or [],
    }


async def quoted(api: httpx.AsyncClient, *lines: tuple[str, int], **given: Any) -> dict[str, Any]:
    answer = await api.post("/v1/quotes", json=a_quote_body(*lines, **given))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def an_order_body(*lines: tuple[str, int], **given: Any) -> dict[str, Any]:
    """As a quote's; `expected_total` and `paid` of the order itself."""
    own: dict[str, Any] = {}
    for name in ("expected_total", "paid", "allow_below_cost"):
        if name in given:
            own[name] = given.pop(name)
    body = a_quote_body(*lines, **{"email": EMAIL, "ip": "203.0.113.7", **given})
    return {**body, "reference": f"ref-{new_id()}", **own}


async def ordered(api: httpx.AsyncClient, *lines: tuple[str, int], **given: Any) -> httpx.Response:
    return await api.post("/v1/orders", json=an_order_body(*lines, **given))
