"""Merchants are made by the platform, channels by their merchant."""

from typing import Any

import httpx

from kit.ids import new_id
from tests.order.conftest import ApiClient
from tests.order.factories import MERCHANT, SHOP, UNTRUSTED


async def test_the_platform_makes_merchants(open_api: ApiClient) -> None:
    platform = await open_api(["platform:write"], merchant_id=None)

    made = await platform.post("/v1/merchants", json={"name": "New Cards"})
    listed = (await platform.get("/v1/merchants?limit=2")).json()

    assert made.status_code == 201
    assert len(listed["items"]) == 2
    rest = (await platform.get(f"/v1/merchants?cursor={listed['next_cursor']}")).json()
    assert made.json() in rest["items"]


async def test_a_merchant_makes_no_merchants(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/merchants", json={"name": "New Cards"})

    assert (answer.status_code, answer.json()["scope"]) == (403, "platform:write")


async def test_a_merchant_makes_channels(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    body = {"name": "Mini program", "kind": "mini-program", "trusted": True}

    made = await api.post("/v1/channels", json=body)

    assert made.status_code == 201, made.text
    assert made.json()["merchant_id"] == str(MERCHANT)
    assert made.json()["trusted"] is True
    ids = {channel["id"] for channel in (await api.get("/v1/channels")).json()["items"]}
    assert ids == {str(SHOP), str(UNTRUSTED), made.json()["id"]}
    assert (await other_api.get("/v1/channels")).json()["items"] == []


async def test_a_channel_is_not_trusted_unless_said_so(api: httpx.AsyncClient) -> None:
    assert (await api.post("/v1/channels", json={"name": "x"})).json()["trusted"] is False


async def test_an_idempotency_key_makes_one_channel(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": str(new_id())}

    first = await api.post("/v1/channels", json={"name": "x"}, headers=headers)
    again = await api.post("/v1/channels", json={"name": "x"}, headers=headers)

    assert first.content == again.content


async def test_a_channels_kind_is_a_short_name(api: httpx.AsyncClient) -> None:
    for kind in ("", "Shop", "a b", "x" * 41, "1st"):
        answer = await api.post("/v1/channels", json={"name": "x", "kind": kind})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/kind"


async def test_a_cursor_of_another_making_is_refused(api: httpx.AsyncClient) -> None:
    for path in ("/v1/channels", "/v1/products", "/v1/orders", "/v1/api-keys"):
        for cursor in ("rubbish", "WzFd", "W10", "eyJhIjoxfQ"):
            answer = await api.get(f"{path}?cursor={cursor}")
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


async def test_a_channel_keeps_the_rules_it_is_given(api: httpx.AsyncClient) -> None:
    price_list = str(new_id())
    rules = {
        "price_list_id": price_list,
        "fee": {"basis_points": 60, "fixed": 30, "bearer": "platform", "on_refund": "returned"},
        "allowed_skus": ["B-1", "A-1"],
        "denied_skus": ["C-1"],
        "region": "CN-SH",
        "min_valid_seconds": 86_400,
        "active": False,
    }

    made = (await api.post("/v1/channels", json={"name": "x", **rules})).json()

    read = (await api.get(f"/v1/channels/{made['id']}")).json()
    assert read == made
    assert {name: read[name] for name in rules} == {**rules, "allowed_skus": ["A-1", "B-1"]}


async def test_an_edit_changes_what_it_names_and_null_takes_away(api: httpx.AsyncClient) -> None:
    body = {"name": "x", "region": "CN", "price_list_id": str(new_id()), "denied_skus": ["C-1"]}
    made = (await api.post("/v1/channels", json=body)).json()
    path = f"/v1/channels/{made['id']}"

    edit: dict[str, Any] = {"region": None, "active": False, "allowed_skus": []}
    edited = (await api.patch(path, json=edit)).json()

    assert edited == {**made, "region": None, "active": False}
    assert (await api.patch(path, json={})).json() == edited
    assert (await api.get(path)).json() == edited


async def test_a_channels_rules_have_bounds(api: httpx.AsyncClient) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"fee": {"basis_points": 10_001}}, "/fee/basis_points"),
        ({"fee": {"fixed": -1}}, "/fee/fixed"),
        ({"fee": {"bearer": "buyer"}}, "/fee/bearer"),
        ({"region": "China"}, "/region"),
        ({"min_valid_seconds": -1}, "/min_valid_seconds"),
        ({"denied_skus": ["a b"]}, "/denied_skus/0"),
    ]
    for given, pointer in cases:
        for call in (
            api.post("/v1/channels", json={"name": "x", **given}),
            api.patch(f"/v1/channels/{SHOP}", json=given),
        ):
            answer = await call
            assert answer.status_code == 422, given
            assert answer.json()["errors"][0]["pointer"] == pointer


async def test_another_merchants_channel_is_neither_read_nor_edited(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    before = (await api.get(f"/v1/channels/{SHOP}")).json()

    read = await other_api.get(f"/v1/channels/{SHOP}")
    edit = await other_api.patch(f"/v1/channels/{SHOP}", json={"trusted": False})

    assert (read.status_code, edit.status_code) == (404, 404)
    assert (await api.get(f"/v1/channels/{SHOP}")).json() == before


async def test_the_platform_reads_and_renames_a_merchant(open_api: ApiClient) -> None:
    platform = await open_api(["platform:write"], merchant_id=None)
    path = f"/v1/merchants/{MERCHANT}"

    renamed = (await platform.patch(path, json={"name": "Luckier Cards"})).json()

    assert renamed["name"] == "Luckier Cards"
    assert (await platform.patch(path, json={})).json() == renamed
    assert (await platform.get(path)).json() == renamed
    assert (await platform.get(f"/v1/merchants/{new_id()}")).status_code == 404
    assert (await platform.patch(f"/v1/merchants/{new_id()}", json={})).status_code == 404
