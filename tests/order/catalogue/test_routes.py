"""Products: unique SKUs, kinds, bundles, edits."""

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
    told = {"kind": "pool", "pool_id": str(POOL), "shortage": None}
    assert made.json()["fulfillment"] == told


async def test_a_sku_is_unique_within_its_merchant(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    await api.post("/v1/products", json=a_product())

    again = await api.post("/v1/products", json=a_product())

    assert (again.status_code, again.json()["code"]) == (409, "sku_taken")
    assert (await other_api.post("/v1/products", json=a_product())).status_code == 201


TOP_UP: dict[str, Any] = {
    "kind": "top_up",
    "account_input": "phone",
    "offers": [{"supplier": "s-1", "supplier_sku": "CM/50", "cost_max": CNY}],
}
MANUAL = {"kind": "manual", "queue": "desk", "fulfiller": None}


async def test_a_product_of_every_kind_is_read_as_it_was_made(api: httpx.AsyncClient) -> None:
    for sku, terms in (("PHONE-50", TOP_UP), ("ACCOUNT", MANUAL)):
        made = await api.post("/v1/products", json=a_product(sku=sku, fulfillment=terms))
        assert made.status_code == 201, made.text
        assert made.json()["fulfillment"] == terms

    bundle = a_bundle(("PHONE-50", 2), ("ACCOUNT", 1))
    made = await api.post("/v1/products", json=bundle)
    assert made.status_code == 201, made.text
    assert made.json()["fulfillment"] == bundle["fulfillment"]
    assert (await api.get(made.headers["location"])).json() == made.json()


def a_bundle(*components: tuple[str, int], **given: Any) -> dict[str, Any]:
    parts = [{"sku": sku, "quantity": quantity} for sku, quantity in components]
    terms = {"kind": "bundle", "policy": "all_or_nothing", "components": parts}
    return a_product(**{"sku": "PACK", "fulfillment": terms, **given})


async def test_a_bundle_of_what_cannot_be_in_one_is_refused_naming_each(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    await api.post("/v1/products", json=a_product())
    await api.post("/v1/products", json=a_product(sku="USD", price=CNY | {"currency": "USD"}))
    await api.post("/v1/products", json=a_bundle(("GAME-100", 1)))
    await other_api.post("/v1/products", json=a_product(sku="THEIRS"))
    wrong = [("GAME-100", 1), ("USD", 1), ("PACK", 1), ("THEIRS", 1), ("GAME-100", 2)]

    answer = await api.post("/v1/products", json=a_bundle(*wrong, sku="PACK-2"))

    assert (answer.status_code, answer.json()["code"]) == (422, "bad_components")
    assert [(error["pointer"], error["detail"]) for error in answer.json()["errors"]] == [
        ("/fulfillment/components/1/sku", "it is priced in USD, the bundle in CNY"),
        ("/fulfillment/components/2/sku", "a bundle cannot be part of a bundle"),
        ("/fulfillment/components/3/sku", "there is no product with this SKU"),
        ("/fulfillment/components/4/sku", "named twice"),
    ]


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"fulfillment": {"kind": "magic"}}, "/fulfillment"),
    ({"fulfillment": {"kind": "pool"}}, "/fulfillment/pool/pool_id"),
    ({"fulfillment": {}}, "/fulfillment"),
    ({"fulfillment": TOP_UP | {"offers": []}}, "/fulfillment/top_up/offers"),
    ({"fulfillment": TOP_UP | {"account_input": ""}}, "/fulfillment/top_up/account_input"),
    ({"fulfillment": {"kind": "manual"}}, "/fulfillment/manual/queue"),
    ({"fulfillment": {"kind": "bundle", "policy": "some", "components": []}}, "/fulfillment/bund"),
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
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)


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
