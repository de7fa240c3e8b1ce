"""API keys: issued once in clear, two of a name for rotation, revoked for ever."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import text

from kit.auth import read_api_key
from kit.db import Database
from kit.ids import new_id
from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged
from tests.order.conftest import ApiClient
from tests.order.factories import MERCHANT, OTHER_MERCHANT

PLATFORM = ["platform:write", "api-keys:read", "api-keys:write"]


async def issue(api: httpx.AsyncClient, **given: Any) -> httpx.Response:
    headers = given.pop("headers", {})
    body = {"name": "shop backend", "scopes": ["orders:read"], **given}
    return await api.post("/v1/api-keys", json=body, headers=headers)


async def changes(db: Database, key_id: str) -> list[ApiKeyChanged]:
    async with db.read() as tx:
        query = text("SELECT payload FROM event_log WHERE key = :key ORDER BY id")
        rows = (await tx.execute(query, {"key": key_id})).scalars()
        return [ApiKeyChanged.FromString(payload) for payload in rows]


async def test_an_issued_key_opens_the_api_and_is_announced_by_its_hash(
    api: httpx.AsyncClient, db: Database
) -> None:
    issued = (await issue(api)).json()
    header = {"Authorization": f"Bearer {issued['api_key']}"}

    assert (await api.get("/v1/orders", headers=header)).status_code == 200
    assert (await api.get("/v1/products", headers=header)).status_code == 403
    [change] = await changes(db, issued["id"])
    assert change.secret_hash == read_api_key(issued["api_key"])[1]
    assert change.merchant_id == str(MERCHANT)
    assert list(change.scopes) == ["orders:read"]
    assert not change.HasField("revoked_at")


async def test_the_text_of_a_key_is_kept_nowhere(api: httpx.AsyncClient, db: Database) -> None:
    headers = {"Idempotency-Key": str(new_id())}
    first = (await issue(api, headers=headers)).json()
    again = (await issue(api, headers=headers)).json()

    assert first["api_key"].startswith("lsk_live_")
    assert again == {**first, "api_key": None}
    secret = first["api_key"][-38:-6].encode()
    async with db.read() as tx:
        saved = (await tx.execute(text("SELECT body FROM idempotency"))).scalars().all()
        told = (await tx.execute(text("SELECT payload FROM event_log"))).scalars().all()
    assert secret not in b"".join(saved) + b"".join(told)


async def test_two_live_keys_may_share_a_name_and_a_third_may_not(api: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(issue(api) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    live = next(answer.json() for answer in answers if answer.status_code == 201)
    await api.post(f"/v1/api-keys/{live['id']}/revoke")
    assert (await issue(api)).status_code == 201


async def test_a_key_of_a_name_that_was_there_is_the_first_ones_successor(
    api: httpx.AsyncClient, db: Database
) -> None:
    first = (await issue(api)).json()["id"]
    second = (await issue(api)).json()["id"]
    for key_id in (first, second):
        await api.post(f"/v1/api-keys/{key_id}/revoke")
    third = (await issue(api)).json()["id"]
    others = [
        (await issue(api, **given)).json()["id"] for given in ({"name": "x"}, {"mode": "test"})
    ]

    told = [(await changes(db, key_id))[-1].family for key_id in (first, second, third, *others)]

    assert told == ["", first, first, "", ""]


async def test_a_call_that_is_repeated_with_the_successor_of_its_key_acts_once(
    api: httpx.AsyncClient,
) -> None:
    headers = {"Idempotency-Key": str(new_id())}
    keys = [(await issue(api, scopes=["channels:write"])).json()["api_key"] for _ in range(2)]
    body = {"name": "Rotated", "kind": "shop"}

    answers = [
        await api.post(
            "/v1/channels", json=body, headers={**headers, "Authorization": f"Bearer {key}"}
        )
        for key in keys
    ]

    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    assert answers[0].json()["id"] == answers[1].json()["id"]


async def test_a_revoked_key_is_dead_within_its_cache_time_and_for_ever(
    api: httpx.AsyncClient, db: Database
) -> None:
    issued = (await issue(api, scopes=["orders:read"])).json()
    header = {"Authorization": f"Bearer {issued['api_key']}"}
    assert (await api.get("/v1/orders", headers=header)).status_code == 200

    revoked = await api.post(f"/v1/api-keys/{issued['id']}/revoke")
    again = await api.post(f"/v1/api-keys/{issued['id']}/revoke")
    await asyncio.sleep(1.1)

    assert (await api.get("/v1/orders", headers=header)).status_code == 401
    assert revoked.json()["revoked_at"]
    assert again.json() == revoked.json()
    assert [change.HasField("revoked_at") for change in await changes(db, issued["id"])] == [
        False,
        True,
    ]


async def test_a_key_hands_on_only_what_it_has(open_api: ApiClient) -> None:
    keeper = await open_api(["api-keys:write", "orders:read"])

    assert (await issue(keeper)).status_code == 201
    refused = await issue(keeper, scopes=["orders:read", "stock:write"])
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_not_held")
    assert refused.json()["scopes"] == ["stock:write"]
    assert (await issue(keeper, scopes=["platform:write"])).status_code == 403


async def test_what_a_merchant_cannot_ask_for(api: httpx.AsyncClient) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"merchant_id": str(OTHER_MERCHANT)}, 403, "not_your_merchant"),
        ({"scopes": ["orders:fly"]}, 403, "scope_not_held"),
        ({"scopes": []}, 422, "validation_failed"),
        ({"scopes": ["ORDERS"]}, 422, "validation_failed"),
        ({"name": ""}, 422, "validation_failed"),
        ({"expires_at": yesterday}, 422, "expiry_in_past"),
    ]
    for given, status, code in cases:
        answer = await issue(api, **given)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_platform_issues_keys_for_merchants_and_for_itself(open_api: ApiClient) -> None:
    platform = await open_api(PLATFORM, merchant_id=None)

    for_merchant = (await issue(platform, merchant_id=str(MERCHANT))).json()
    own = (await issue(platform, scopes=["platform:write"])).json()
    nobody = await issue(platform, merchant_id=str(new_id()))
    unknown = await issue(platform, merchant_id=str(MERCHANT), scopes=["platform:write"])

    assert for_merchant["merchant_id"] == str(MERCHANT)
    assert own["merchant_id"] is None
    assert nobody.json()["code"] == "merchant_not_found"
    assert unknown.json()["code"] == "unknown_scope"


async def test_another_merchants_keys_are_neither_seen_nor_revoked(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    issued = (await issue(api)).json()

    assert (await other_api.post(f"/v1/api-keys/{issued['id']}/revoke")).status_code == 404
    assert (await other_api.get("/v1/api-keys")).json()["items"] == []


async def test_the_list_is_paged_and_shows_no_secret(api: httpx.AsyncClient) -> None:
    ids = [(await issue(api, name=f"key {number}")).json()["id"] for number in range(5)]

    first = (await api.get("/v1/api-keys?limit=3")).json()
    second = (await api.get(f"/v1/api-keys?limit=3&cursor={first['next_cursor']}")).json()

    assert [key["id"] for key in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None
    assert "api_key" not in first["items"][0]
    assert "secret_hash" not in first["items"][0]
