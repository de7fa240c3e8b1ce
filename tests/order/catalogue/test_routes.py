"""Products: unique SKUs, kinds that are known and those that are coming, edits."""

from typing import Any

import httpx

from kit.ids import new_id
from tests.order.factories import POOL

CNY = {"amount": 1990, "currency": "CNY"}


def a_product(**given: Any) -> dict[str, Any]:
    return {
        "sku": "GAME-100",
        "name": "Game card",
        "fulfillment": {"kind": "pool", "pool_id": str(POOL)},
        "price": CNY,
        **given,
    }


async def test_a_product_is_made_and_read(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    made = await api.post("/v1/products", json=a_product(instructions="Enter the code."))

    assert made.status_code == 201, made.text
    path = made.headers["location"]
    assert (await api.get(path)).json() == made.json()
    assert (await other_api.get(path)).status_code == 404
    assert made.json()["fulfillment"] == {"kind": "pool", "pool_id": str(POOL)}


async def test_a_sku_is_unique_within_its_merchant(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    await api.post("/v1/products", json=a_product())

    again = await api.post("/v1/products", json=a_product())

    assert (again.status_code, again.json()["code"]) == (409, "sku_taken")
    assert (await other_api.post("/v1/products", json=a_product())).status_code == 201


async def test_a_kind_that_is_coming_is_named_as_unsupported(api: httpx.AsyncClient) -> None:
    for kind in ("top_up", "bundle", "manual"):
        body = a_product(fulfillment={"kind": kind, "supplier": "s-1"})
        answer = await api.post("/v1/products", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_kind")
        assert answer.json()["errors"][0]["pointer"] == "/fulfillment/kind"


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"fulfillment": {"kind": "magic"}}, "/fulfillment"),
    ({"fulfillment": {"kind": "pool"}}, "/fulfillment/pool/pool_id"),
    ({"fulfillment": {}}, "/fulfillment"),
    ({"sku": "with space"}, "/sku"),
    ({"sku": "x" * 65}, "/sku"),
    ({"name": ""}, "/name"),
    ({"name": "a\nb"}, "/name"),
    ({"price": {"amount": -1, "currency": "CNY"}}, "/price/amount"),
    ({"price": {"amount": 1.5, "currency": "CNY"}}, "/price/amount"),
    ({"price": {"amount": 10**14, "currency": "CNY"}}, "/price/amount"),
    ({"price": {"amount": 1, "currency": "cny"}}, "/price/currency"),
    ({"instructions": "a\u0000b"}, "/instructions"),
]


async def test_bad_input_is_refused_naming_the_field(api: httpx.AsyncClient) -> None:
    for given, pointer in BAD_INPUT:
        answer = await api.post("/v1/products", json=a_product(**given))
        assert answer.status_code == 422, (given, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_an_edit_sets_what_it_names(api: httpx.AsyncClient) -> None:
    made = (await api.post("/v1/products", json=a_product(instructions="old"))).json()
    path = f"/v1/products/{made['id']}"

    price = {"amount": 1890, "currency": "USD"}
    edited = (await api.patch(path, json={"price": price, "active": False})).json()
    emptied = (await api.patch(path, json={"instructions": ""})).json()

    assert (edited["price"], edited["active"]) == (price, False)
    assert (edited["name"], edited["instructions"]) == (made["name"], "old")
    assert (emptied["instructions"], emptied["active"]) == ("", False)
    assert edited["updated_at"] > made["updated_at"]


async def test_what_does_not_exist_is_not_edited(api: httpx.AsyncClient) -> None:
    answer = await api.patch(f"/v1/products/{new_id()}", json={"name": "x"})

    assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


async def test_the_list_is_paged_and_found_by_sku(api: httpx.AsyncClient) -> None:
    for number in range(5):
        await api.post("/v1/products", json=a_product(sku=f"SKU-{number}"))

    first = (await api.get("/v1/products?limit=3")).json()
    second = (await api.get(f"/v1/products?limit=3&cursor={first['next_cursor']}")).json()
    one = (await api.get("/v1/products?sku=SKU-3")).json()

    skus = [product["sku"] for product in first["items"] + second["items"]]
    assert skus == [f"SKU-{number}" for number in range(5)]
    assert second["next_cursor"] is None
    assert [product["sku"] for product in one["items"]] == ["SKU-3"]
