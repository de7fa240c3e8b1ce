"""The margin floor over HTTP: flagged in a quote, refused in an order, passed with a reason."""

from typing import Any

import httpx
import pytest

from tests.order.conftest import ApiClient
from tests.order.factories import POOL
from tests.order.selling import add_product, cny, ordered, quoted
from tests.order.vaults import ScriptedVault

FLOORS = "/v1/margin-floors"
REASON = {"reason": "clearance agreed with the owner"}


async def add_floor(api: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await api.post(FLOORS, json={"name": "Margin", **given})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_floor_is_kept_read_back_and_ended(api: httpx.AsyncClient):
    made = await add_floor(api, basis_points=300, amount=cny(20), skus=["CARD"])

    assert (await api.get(f"{FLOORS}/{made['id']}")).json() == made
    assert (await api.get(FLOORS)).json()["items"] == [made]
    ended = await api.patch(f"{FLOORS}/{made['id']}", json={"active": False})
    assert (ended.json()["active"], ended.json()["version"]) == (False, 2)


async def test_nothing_is_sold_below_its_stated_cost(api: httpx.AsyncClient, vault: ScriptedVault):
    await add_product(api, "CARD", 1000, cost=cny(900))
    sale = {"name": "Sale", "effect": {"kind": "percent_off", "basis_points": 1100}}
    await api.post("/v1/promotions", json=sale)

    quote = await quoted(api, ("CARD", 2))
    answer = await ordered(api, ("CARD", 2))

    assert quote["below_floor"] == [
        {"line_no": 1, "sku": "CARD", "brings": 1780, "floor": 1800, "currency": "CNY"}
    ]
    assert (answer.status_code, answer.json()["code"]) == (409, "below_margin_floor")
    assert answer.json()["lines"] == quote["below_floor"]
    assert vault.holds == {}


async def test_a_coupon_cannot_take_a_line_below_its_floor(api: httpx.AsyncClient):
    await add_product(api, "CARD", 1000, cost=cny(900))
    coupon = {"name": "C", "code": "CUT", "effect": {"kind": "amount_off", "amount": cny(101)}}
    await api.post("/v1/coupons", json=coupon)

    assert (await ordered(api, ("CARD", 1))).status_code == 201
    assert (await ordered(api, ("CARD", 1), codes=["CUT"])).json()["code"] == "below_margin_floor"


async def test_a_floor_rule_looks_up_what_the_pool_costs(
    api: httpx.AsyncClient, vault: ScriptedVault
):
    await add_product(api, "CARD", 1000)
    vault.pools[str(POOL)] = [(2000, 0), (960, 5), (980, 1)]
    assert (await ordered(api, ("CARD", 1))).status_code == 201
    asked = [path for path, _ in vault.calls if path.startswith("/v1/pools/")]
    assert asked == []

    floor = await add_floor(api, basis_points=300)
    answer = await ordered(api, ("CARD", 1))

    # 980 and 3 % of it: 1009.4, rounded up. The lot of 2000 has nothing left.
    assert answer.json()["code"] == "below_margin_floor"
    assert answer.json()["lines"][0] | {"version": 1} == {
        "line_no": 1,
        "sku": "CARD",
        "brings": 1000,
        "floor": 1010,
        "currency": "CNY",
        "rule_id": floor["id"],
        "version": 1,
    }


async def test_who_may_sells_below_the_floor_with_a_reason_on_the_timeline(
    api: httpx.AsyncClient, open_api: ApiClient
):
    await add_product(api, "CARD", 1000, cost=cny(1500))
    seller = await open_api(["orders:write", "orders:read"])

    refused = await ordered(seller, ("CARD", 1), allow_below_cost=REASON)
    sold = await ordered(api, ("CARD", 1), allow_below_cost=REASON)

    assert (refused.status_code, refused.json()["code"]) == (403, "denied")
    assert sold.status_code == 201, sold.text
    timeline = (await api.get(f"/v1/orders/{sold.json()['id']}/timeline")).json()["items"]
    entry = next(it for it in timeline if it["kind"] == "sold_below_floor")
    assert entry["details"]["reason"] == REASON["reason"]
    assert entry["details"]["lines"][0]["floor"] == 1500
    assert entry["cause"].startswith("key:")


async def test_without_need_the_permission_leaves_no_trace(api: httpx.AsyncClient):
    await add_product(api, "CARD", 1000, cost=cny(900))

    sold = await ordered(api, ("CARD", 1), allow_below_cost=REASON)

    timeline = (await api.get(f"/v1/orders/{sold.json()['id']}/timeline")).json()["items"]
    assert "sold_below_floor" not in {it["kind"] for it in timeline}


@pytest.mark.parametrize("cost", [1001, 5000])
async def test_a_top_up_whose_supplier_may_ask_for_more_than_it_brings_is_refused_when_saved(
    api: httpx.AsyncClient, cost: int
):
    terms = {
        "kind": "top_up",
        "account_input": "phone",
        "offers": [{"supplier": "sim", "supplier_sku": "S", "cost_max": cny(cost)}],
    }
    body: dict[str, Any] = {"sku": "PHONE", "name": "P", "fulfillment": terms, "price": cny(1000)}

    answer = await api.post("/v1/products", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "bad_product")
    assert answer.json()["errors"][0]["pointer"] == "/fulfillment/offers/0/cost_max"
    body["fulfillment"]["offers"][0]["cost_max"] = cny(1000)
    assert (await api.post("/v1/products", json=body)).status_code == 201
