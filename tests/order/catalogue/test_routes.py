"""Products: unique SKUs, kinds, bundles, edits."""

import asyncio
from typing import Any

import httpx

from kit.ids import new_id
from tests.order.factories import POOL, SHOP

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
    "routing": "best",
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
    ({"form": [{"name": "a", "type": "text"}] * 2}, "/form"),
    ({"form": [{"name": "a", "type": "choice"}]}, "/form/0"),
    ({"form": [{"name": "a", "type": "account", "pattern": "(a+)+"}]}, "/form/0/pattern"),
    ({"form": [{"name": "a", "type": "text", "pattern": "\u0000"}]}, "/form/0/pattern"),
    ({"form": [{"name": "a", "type": "phone", "pattern": "a"}]}, "/form/0"),
    ({"regions": {"allowed": ["China"]}}, "/regions/allowed/0"),
    ({"limits": [{"per": "buyer", "quantity": 1, "window_hours": 721}]}, "/limits/0/window_hours"),
    ({"image_url": "javascript:alert(1)"}, "/image_url"),
    ({"quantity_max": 0}, "/quantity_max"),
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


WHOLE: dict[str, Any] = {
    "instructions": "Enter the code.",
    "active": False,
    "form": [
        {
            "name": "uid",
            "type": "account",
            "required": True,
            "label": {"en": "Player id", "zh": "玩家编号"},
            "length_max": 10,
            "pattern": r"[1-9]\d{5,9}",
            "choices": [],
            "min": None,
            "max": None,
        }
    ],
    "sale_from": "2026-01-01T00:00:00Z",
    "sale_until": "2027-01-01T00:00:00Z",
    "regions": {"allowed": ["CN", "SG"], "refused": ["US"]},
    "channels": [str(SHOP)],
    "quantity_min": 2,
    "quantity_max": 5,
    "limits": [{"per": "buyer", "quantity": 5, "window_hours": 24}],
    "template": "gift",
    "redemption": {"text": "At the game", "url": "https://example.com/redeem", "valid_days": 365},
    "translations": {"zh-CN": {"instructions": "输入", "redemption": "在游戏里"}},
    "image_url": "https://example.com/a.png",
    "family": "GAME",
    "options": {"points": "100"},
}


async def test_all_that_a_product_may_have_is_kept_and_can_be_taken_away(
    api: httpx.AsyncClient,
) -> None:
    made = await api.post("/v1/products", json=a_product(**WHOLE))
    plain = await api.post("/v1/products", json=a_product(sku="PLAIN"))

    assert made.status_code == 201, made.text
    assert {name: made.json()[name] for name in WHOLE} == WHOLE
    empty = {name: plain.json()[name] for name in WHOLE}
    emptied = await api.patch(made.headers["location"], json=empty)
    assert emptied.status_code == 200, emptied.text
    filled = await api.patch(made.headers["location"], json=WHOLE)
    assert {name: emptied.json()[name] for name in WHOLE} == empty
    assert {name: filled.json()[name] for name in WHOLE} == WHOLE
    assert filled.json()["version"] == 3


async def test_variants_of_a_family_differ_in_their_options(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    def variant(sku: str, **options: str) -> dict[str, Any]:
        return a_product(sku=sku, family="GAME", options=options)

    for body in (variant("A", points="100"), variant("B", points="200"), a_product(sku="C")):
        assert (await api.post("/v1/products", json=body)).status_code == 201
    twice = await api.post("/v1/products", json=variant("D", points="100"))
    moved = await api.patch(twice.headers.get("location", "/v1/products"), json={})
    theirs = await other_api.post("/v1/products", json=variant("A", points="100"))

    assert (twice.status_code, twice.json()["code"]) == (409, "variant_taken")
    assert moved.status_code == 405
    assert theirs.status_code == 201
    family = (await api.get("/v1/products?family=GAME")).json()["items"]
    assert [(item["sku"], item["options"]) for item in family] == [
        ("A", {"points": "100"}),
        ("B", {"points": "200"}),
    ]


CONTRADICTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"sale_from": WHOLE["sale_until"], "sale_until": WHOLE["sale_from"]}, "/sale_until", "not_af"),
    ({"quantity_min": 3, "quantity_max": 2}, "/quantity_max", "below_minimum"),
    ({"options": {"points": "100"}}, "/options", "no_family"),
    ({"limits": WHOLE["limits"] * 2}, "/limits", "limit_twice"),
    (
        {"fulfillment": TOP_UP, "form": [{"name": "phone", "type": "phone", "required": False}]},
        "/fulfillment/account_input",
        "not_required",
    ),
]


async def test_parts_that_contradict_each_other_are_refused_also_in_an_edit(
    api: httpx.AsyncClient,
) -> None:
    path = (await api.post("/v1/products", json=a_product())).headers["location"]
    for given, pointer, code in CONTRADICTIONS:
        for answer in (
            await api.post("/v1/products", json=a_product(sku="NEW", **given)),
            await api.patch(path, json=given),
        ):
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_product"), given
            error = answer.json()["errors"][0]
            assert (error["pointer"], error["code"][: len(code)]) == (pointer, code)
    assert (await api.get(path)).json()["version"] == 1


async def test_a_top_up_asks_for_its_account_without_being_told(api: httpx.AsyncClient) -> None:
    made = await api.post("/v1/products", json=a_product(fulfillment=TOP_UP))

    form = made.json()["form"]
    assert [(field["name"], field["type"], field["required"]) for field in form] == [
        ("phone", "phone", True)
    ]


async def test_offers_of_a_top_up_go_by_their_order_unless_the_product_says_otherwise(
    api: httpx.AsyncClient,
) -> None:
    plain = {name: value for name, value in TOP_UP.items() if name != "routing"}
    made = await api.post("/v1/products", json=a_product(fulfillment=plain))
    path = made.headers["location"]
    assert made.json()["fulfillment"]["routing"] == "listed"

    edited = await api.patch(path, json={"fulfillment": TOP_UP})
    refused = await api.patch(path, json={"fulfillment": TOP_UP | {"routing": "cheapest"}})

    assert edited.json()["fulfillment"]["routing"] == "best"
    assert (await api.get(path)).json()["fulfillment"] == TOP_UP
    assert refused.status_code == 422


async def test_the_best_of_offers_in_several_currencies_cannot_be_asked_for(
    api: httpx.AsyncClient,
) -> None:
    dollars = {"amount": 100, "currency": "USD"}
    offers = [*TOP_UP["offers"], {"supplier": "b", "supplier_sku": "B", "cost_max": dollars}]

    refused = await api.post(
        "/v1/products", json=a_product(fulfillment=TOP_UP | {"offers": offers})
    )
    listed = TOP_UP | {"offers": offers, "routing": "listed"}
    taken = await api.post("/v1/products", json=a_product(fulfillment=listed))

    [error] = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/fulfillment/offers/1/cost_max", "other_currency")
    assert taken.status_code == 201


async def test_two_who_edit_the_same_version_do_not_lose_an_edit(api: httpx.AsyncClient) -> None:
    path = (await api.post("/v1/products", json=a_product())).headers["location"]
    tag = (await api.get(path)).headers["etag"]

    answers = await asyncio.gather(
        *(
            api.patch(path, json={"name": f"name {number}"}, headers={"If-Match": tag})
            for number in range(8)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert (refused.json()["code"], refused.json()["version"]) == ("edited_meanwhile", 2)
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert winner.headers["etag"] == '"2"'
    assert (await api.get(path)).json() == winner.json()
    same = await api.patch(path, json={"name": winner.json()["name"]})
    assert same.json() == winner.json()


async def test_edits_of_different_fields_at_once_are_all_kept(api: httpx.AsyncClient) -> None:
    path = (await api.post("/v1/products", json=a_product())).headers["location"]
    edits = [{"name": "new"}, {"template": "gift"}, {"quantity_max": 7}, {"active": False}]

    await asyncio.gather(*(api.patch(path, json=edit) for edit in edits))

    read = (await api.get(path)).json()
    assert (read["name"], read["template"], read["quantity_max"]) == ("new", "gift", 7)
    assert (read["active"], read["version"]) == (False, 5)


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
