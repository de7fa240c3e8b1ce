"""Merchants are made by the platform, channels by their merchant."""

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
