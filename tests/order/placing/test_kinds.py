"""Placing what needs no stock, and bundles: their lines, their shares, what the vault is asked."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from lockstock.order.v1.order_events_pb2 import OrderExpired, OrderPlaced
from order.saga import service as saga
from tests.order.factories import POOL, SHOP
from tests.order.vaults import ScriptedVault

TOP_UP = {
    "kind": "top_up",
    "account_input": "phone",
    "offers": [
        {
            "supplier": "sim",
            "supplier_sku": "CM-50",
            "cost_max": {"amount": 4900, "currency": "CNY"},
        }
    ],
}
PHONE = "13800138000"


@pytest.fixture(autouse=True)
async def products(api: httpx.AsyncClient) -> None:
    for sku, amount, terms in (
        ("GAME-100", 2000, {"kind": "pool", "pool_id": str(POOL)}),
        ("PHONE-50", 5000, TOP_UP),
        ("DESK", 1000, {"kind": "manual", "queue": "desk"}),
        ("PACK", 5000, a_bundle(("GAME-100", 2), ("PHONE-50", 1))),
    ):
        await make(api, sku, amount, terms)


async def make(api: httpx.AsyncClient, sku: str, amount: int, terms: dict[str, Any]) -> None:
    body = {
        "sku": sku,
        "name": sku,
        "fulfillment": terms,
        "price": {"amount": amount, "currency": "CNY"},
    }
    answer = await api.post("/v1/products", json=body)
    assert answer.status_code == 201, answer.text


def a_bundle(*components: tuple[str, int], policy: str = "all_or_nothing") -> dict[str, Any]:
    parts = [{"sku": sku, "quantity": quantity} for sku, quantity in components]
    return {"kind": "bundle", "policy": policy, "components": parts}


def pack(**given: Any) -> dict[str, Any]:
    return {"sku": "PACK", "inputs": {"phone": PHONE}, **given}


async def place(api: httpx.AsyncClient, *lines: dict[str, Any]) -> httpx.Response:
    body = {
        "channel_id": str(SHOP),
        "reference": f"ref-{new_id()}",
        "customer": {"id": "buyer-7"},
        "lines": [{"quantity": 1, **line} for line in lines],
    }
    return await api.post("/v1/orders", json=body)


async def test_an_order_without_pool_lines_asks_the_vault_for_nothing(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    answer = await place(
        api, {"sku": "PHONE-50", "inputs": {"phone": PHONE}}, {"sku": "DESK", "quantity": 3}
    )

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert vault.calls == []
    assert [line["kind"] for line in order["lines"]] == ["top_up", "manual"]
    timeline = (await api.get(f"/v1/orders/{order['id']}/timeline")).json()
    assert [entry["kind"] for entry in timeline["items"]] == ["priced", "placed"]
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT reservation_id FROM orders"))).one()
        payload = (await tx.execute(text("SELECT payload FROM event_log"))).scalar_one()
    assert row.reservation_id is None
    assert OrderPlaced.FromString(payload).reservation_id == ""


async def test_an_order_without_a_hold_is_cancelled_and_expires_like_any_other(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    first = (await place(api, {"sku": "DESK"})).json()
    second = (await place(api, {"sku": "DESK"})).json()
    cancelled = await api.post(f"/v1/orders/{first['id']}/cancel")
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE orders SET pay_until = placed_at"))
    async with db.transaction() as tx:
        assert await saga.expire_due(tx, 10) == 1

    assert cancelled.json()["status"] == "cancelled"
    assert (await api.get(f"/v1/orders/{second['id']}")).json()["status"] == "expired"
    async with db.read() as tx:
        query = text("SELECT payload FROM event_log WHERE type LIKE '%OrderExpired'")
        payload = (await tx.execute(query)).scalar_one()
    assert OrderExpired.FromString(payload).reservation_id == ""
    assert vault.calls == []


async def test_only_the_pool_lines_of_a_mixed_order_are_held(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    order = (await place(api, {"sku": "DESK"}, {"sku": "GAME-100", "quantity": 2})).json()

    held = vault.calls[0][1]["items"][0]["lines"]
    assert held == [{"pool_id": str(POOL), "quantity": 2, "line_no": 2}]
    timeline = (await api.get(f"/v1/orders/{order['id']}/timeline")).json()["items"]
    assert timeline[1]["summary"] == "2 unit(s) are held"


async def test_a_bundle_becomes_its_components_with_their_shares(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    answer = await place(
        api, {"sku": "PACK", "quantity": 3, "inputs": {"phone": PHONE}}, {"sku": "GAME-100"}
    )

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert order["total"]["amount"] == 3 * 5000 + 2000
    # 15000 in the ratio of 2 x 3 x 2000 to 3 x 5000.
    assert [
        (line["line_no"], line["sku"], line["quantity"], line["total"]["amount"])
        for line in order["lines"]
    ] == [(1, "GAME-100", 6, 6667), (2, "PHONE-50", 3, 8333), (3, "GAME-100", 1, 2000)]
    bundle = {"sku": "PACK", "no": 1, "policy": "all_or_nothing"}
    assert [line["bundle"] for line in order["lines"]] == [bundle, bundle, None]
    held = vault.calls[0][1]["items"][0]["lines"]
    assert [(line["line_no"], line["quantity"]) for line in held] == [(1, 6), (3, 1)]
    assert (await api.get(f"/v1/orders/{order['id']}")).json() == order
    async with db.read() as tx:
        lines = (await tx.execute(text("SELECT * FROM order_line ORDER BY line_no"))).all()
    assert [step["rule"] for step in lines[0].price_derivation] == ["base", "bundle_share"]
    assert lines[1].terms == {**TOP_UP, "routing": "listed"}
    assert lines[1].inputs == {"phone": PHONE}


async def test_two_bundles_of_one_order_are_told_apart(api: httpx.AsyncClient) -> None:
    order = (await place(api, pack(), pack())).json()

    assert [line["bundle"]["no"] for line in order["lines"]] == [1, 1, 2, 2]


async def test_an_account_is_shown_masked_and_the_supplier_not_at_all(
    api: httpx.AsyncClient, db: Database
) -> None:
    answer = await place(api, {"sku": "PHONE-50", "inputs": {"phone": PHONE}})

    assert answer.json()["lines"][0]["inputs"] == {"phone": "13****00"}
    assert "CM-50" not in answer.text
    async with db.read() as tx:
        bodies = (await tx.execute(text("SELECT body FROM idempotency"))).scalars().all()
    assert PHONE.encode() not in b"".join(bodies)


async def test_a_bundle_of_what_is_off_sale_cannot_be_ordered(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    part = (await api.get("/v1/products?sku=PHONE-50")).json()["items"][0]
    await api.patch(f"/v1/products/{part['id']}", json={"active": False})

    answer = await place(api, {"sku": "GAME-100"}, pack())

    assert (answer.status_code, answer.json()["code"]) == (409, "component_unavailable")
    assert answer.json()["component"] == "PHONE-50"
    assert answer.json()["errors"][0]["pointer"] == "/lines/1/sku"
    assert vault.calls == []


async def test_bundles_cannot_make_an_order_larger_than_the_vault_takes(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    for lines in ([pack()] * 26, [pack(quantity=5001)]):
        answer = await place(api, *lines)
        assert (answer.status_code, answer.json()["code"]) == (422, "order_too_large")
    assert (await place(api, *[pack()] * 25)).status_code == 201
    assert len(vault.holds) == 1


async def test_a_line_stays_as_it_was_when_the_product_changes(api: httpx.AsyncClient) -> None:
    order = (await place(api, pack())).json()
    part = (await api.get("/v1/products?sku=GAME-100")).json()["items"][0]
    new = {"price": {"amount": 1, "currency": "CNY"}, "name": "other"}
    await api.patch(f"/v1/products/{part['id']}", json=new)

    assert (await api.get(f"/v1/orders/{order['id']}")).json() == order
