"""Roles, networks, suspension: who may do what, from where, and for how long."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from kit.db import Database
from kit.ids import new_id
from order.api_keys.domain import MERCHANT_SCOPES, ROLES
from tests.order.api_keys.test_routes import PLATFORM, changes, issue
from tests.order.conftest import ApiClient
from tests.order.factories import MERCHANT, OTHER_MERCHANT

REASON = {"reason": "agreement ended"}


@pytest.fixture
async def platform(open_api: ApiClient) -> httpx.AsyncClient:
    return await open_api(PLATFORM, merchant_id=None)


def bearer(issued: httpx.Response) -> dict[str, str]:
    assert issued.status_code == 201, issued.text
    return {"Authorization": f"Bearer {issued.json()['api_key']}"}


async def test_roles_are_bundles_of_scopes_that_exist(api: httpx.AsyncClient) -> None:
    roles = {role["name"]: role for role in (await api.get("/v1/roles")).json()["items"]}

    assert set(roles) == {
        *("owner", "manager", "catalogue", "stock", "support", "finance", "auditor", "developer")
    }
    assert set(roles["owner"]["scopes"]) == MERCHANT_SCOPES
    assert all(scope.endswith(":read") for scope in roles["auditor"]["scopes"])
    for role in roles.values():
        assert role["description"]
        assert set(role["scopes"]) <= MERCHANT_SCOPES
    assert "api-keys:write" not in roles["manager"]["scopes"]


@pytest.mark.parametrize("role", ROLES)
async def test_a_key_issued_with_a_role_has_its_scopes(role: str, api: httpx.AsyncClient) -> None:
    issued = await issue(api, role=role, scopes=None)

    assert issued.json()["role"] == role
    assert set(issued.json()["scopes"]) == ROLES[role].scopes


async def test_a_key_has_a_role_or_scopes(api: httpx.AsyncClient) -> None:
    for given, code in (
        ({"role": "support"}, "role_or_scopes"),
        ({"scopes": None}, "role_or_scopes"),
        ({"scopes": None, "role": "king"}, "unknown_role"),
    ):
        answer = await issue(api, **given)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_role_is_handed_on_only_by_who_has_all_of_it(open_api: ApiClient) -> None:
    keeper = await open_api([*ROLES["support"].scopes, "api-keys:write"])

    assert (await issue(keeper, role="support", scopes=None)).status_code == 201
    refused = await issue(keeper, role="owner", scopes=None)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_not_held")
    own = await issue(keeper, scopes=["orders:read"])
    raised = await keeper.patch(f"/v1/api-keys/{own.json()['id']}", json={"role": "owner"})
    assert (raised.status_code, raised.json()["code"]) == (403, "scope_not_held")


async def test_nobody_edits_a_key_that_has_more_than_his_own(
    api: httpx.AsyncClient, open_api: ApiClient
) -> None:
    keeper = await open_api(["api-keys:write", "orders:read"])
    strong = (await issue(api, role="owner", scopes=None)).json()

    edits: list[dict[str, Any]] = [{"scopes": ["orders:read"]}, {"allowed_ips": []}]
    for edit in edits:
        answer = await keeper.patch(f"/v1/api-keys/{strong['id']}", json=edit)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_not_held")


async def test_an_edit_is_told_to_every_service(api: httpx.AsyncClient, db: Database) -> None:
    issued = (await issue(api, allowed_ips=["203.0.113.0/24", "2001:db8::/32"])).json()
    path = f"/v1/api-keys/{issued['id']}"

    edited = (await api.patch(path, json={"role": "auditor", "allowed_ips": ["::1"]})).json()
    again = (await api.patch(path, json={})).json()

    assert issued["allowed_ips"] == ["203.0.113.0/24", "2001:db8::/32"]
    assert (edited["role"], edited["allowed_ips"]) == ("auditor", ["::1/128"])
    assert again == edited == (await api.get(path)).json()
    first, second = await changes(db, issued["id"])
    assert list(first.allowed_ips) == issued["allowed_ips"]
    assert list(second.allowed_ips) == ["::1/128"]
    assert set(second.scopes) == ROLES["auditor"].scopes


async def test_what_is_no_network_is_named(api: httpx.AsyncClient) -> None:
    for text in ("203.0.113.1/24", "office", "203.0.113.0/33"):
        answer = await issue(api, allowed_ips=["::1", text])
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_network")
        assert answer.json()["errors"][0]["pointer"] == "/allowed_ips/1"
    many = await issue(api, allowed_ips=[f"10.0.{number}.0/24" for number in range(51)])
    assert many.json()["code"] == "validation_failed"


async def test_a_key_bound_to_networks_hands_on_no_freer_one(
    api: httpx.AsyncClient, app: FastAPI
) -> None:
    scopes = ["api-keys:write", "orders:read"]
    bound = bearer(await issue(api, scopes=scopes, allowed_ips=["203.0.113.0/24"]))
    transport = httpx.ASGITransport(app=app, client=("203.0.113.9", 1))

    async with httpx.AsyncClient(transport=transport, base_url="http://order") as there:
        there.headers.update(bound)
        for freer in ([], ["203.0.0.0/16"], ["203.0.113.7", "::/0"]):
            refused = await issue(there, allowed_ips=freer)
            assert (refused.status_code, refused.json()["code"]) == (403, "network_not_held")
        narrower = await issue(there, allowed_ips=["203.0.113.64/26"])
        path = f"/v1/api-keys/{narrower.json()['id']}"
        assert (await there.patch(path, json={"allowed_ips": []})).status_code == 403
    assert narrower.status_code == 201
    assert (await api.get("/v1/orders", headers=bound)).json()["code"] == "address_not_allowed"


async def test_a_key_that_expires_issues_none_that_outlives_it(api: httpx.AsyncClient) -> None:
    end = datetime.now(UTC) + timedelta(days=7)
    scopes = ["api-keys:write", "orders:read"]
    issuer = bearer(await issue(api, name="for a week", scopes=scopes, expires_at=end.isoformat()))

    async def issue_until(name: str, until: datetime | None) -> httpx.Response:
        given = until.isoformat() if until else None
        return await issue(api, name=name, expires_at=given, headers=issuer)

    for until in (None, end + timedelta(seconds=1)):
        refused = await issue_until("too long", until)
        assert (refused.status_code, refused.json()["code"]) == (403, "expiry_not_held")
    assert (await issue_until("as long", end)).status_code == 201
    assert (await issue_until("shorter", end - timedelta(seconds=1))).status_code == 201


async def test_a_key_that_expires_makes_no_longer_one_stronger(api: httpx.AsyncClient) -> None:
    end = datetime.now(UTC) + timedelta(days=7)
    scopes = ["api-keys:write", "orders:read", "stock:read"]
    keeper = bearer(await issue(api, name="for a week", scopes=scopes, expires_at=end.isoformat()))
    longer = (await issue(api, name="for ever", allowed_ips=["::1"])).json()
    as_long = (await issue(api, name="as long", expires_at=end.isoformat())).json()
    stronger = {"scopes": ["orders:read", "stock:read"]}

    edits: list[dict[str, Any]] = [stronger, {"allowed_ips": []}]
    for edit in edits:
        path = f"/v1/api-keys/{longer['id']}"
        refused = await api.patch(path, json=edit, headers=keeper)
        assert (refused.status_code, refused.json()["code"]) == (403, "expiry_not_held")
    path = f"/v1/api-keys/{as_long['id']}"
    assert (await api.patch(path, json=stronger, headers=keeper)).status_code == 200


async def test_nobody_revokes_a_key_that_may_more_than_his_own(
    api: httpx.AsyncClient, platform: httpx.AsyncClient
) -> None:
    own = await issue(api, name="keeper", scopes=["api-keys:write", "orders:read"])
    keeper = bearer(own)
    strong = (await issue(api, role="owner", scopes=None)).json()
    weak = (await issue(api, name="weak")).json()

    async def revoke(client: httpx.AsyncClient, key_id: str, **given: Any) -> httpx.Response:
        return await client.post(f"/v1/api-keys/{key_id}/revoke", **given)

    refused = await revoke(api, strong["id"], headers=keeper)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_not_held")
    assert (await api.get(f"/v1/api-keys/{strong['id']}")).json()["revoked_at"] is None
    # One that may be used for longer, or from elsewhere, goes all the same: nothing is handed on.
    assert (await revoke(api, weak["id"], headers=keeper)).json()["revoked_at"]
    assert (await revoke(api, own.json()["id"], headers=keeper)).json()["revoked_at"]
    assert (await revoke(platform, strong["id"])).json()["revoked_at"]


async def test_a_revoked_key_is_not_edited(api: httpx.AsyncClient) -> None:
    path = f"/v1/api-keys/{(await issue(api)).json()['id']}"
    await api.post(f"{path}/revoke")

    answer = await api.patch(path, json={"allowed_ips": ["::1"]})

    assert (answer.status_code, answer.json()["code"]) == (409, "api_key_revoked")


async def test_another_merchants_key_is_neither_read_nor_edited(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    path = f"/v1/api-keys/{(await issue(api)).json()['id']}"

    assert (await other_api.get(path)).status_code == 404
    assert (await other_api.patch(path, json={"allowed_ips": ["::1"]})).status_code == 404


async def test_the_list_warns_of_keys_that_expire_and_tells_when_they_were_used(
    api: httpx.AsyncClient,
) -> None:
    def days(count: int) -> str:
        return (datetime.now(UTC) + timedelta(days=count)).isoformat()

    for name, given in (("soon", days(13)), ("later", days(15)), ("never", None)):
        issued = await issue(api, name=name, expires_at=given)
        if name == "soon":
            await api.get("/v1/orders", headers=bearer(issued))

    listed = {key["name"]: key for key in (await api.get("/v1/api-keys")).json()["items"]}

    warnings = {name: key["warning"] for name, key in listed.items()}
    assert warnings == {"soon": "expires_soon", "later": None, "never": None}
    assert listed["soon"]["last_used_at"] is not None
    assert listed["later"]["last_used_at"] is None


async def test_a_suspended_merchants_keys_open_nothing_until_it_is_resumed(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient, platform: httpx.AsyncClient, db: Database
) -> None:
    kept = await issue(api, name="kept")
    gone = await issue(api, name="gone")
    await api.post(f"/v1/api-keys/{gone.json()['id']}/revoke")
    assert (await api.get("/v1/orders", headers=bearer(kept))).status_code == 200

    suspended = await platform.post(f"/v1/merchants/{MERCHANT}/suspend", json=REASON)
    again = await platform.post(f"/v1/merchants/{MERCHANT}/suspend", json={"reason": "other"})
    await asyncio.sleep(1.1)

    assert suspended.json()["suspended_reason"] == "agreement ended"
    assert again.json() == suspended.json()
    assert (await api.get("/v1/orders", headers=bearer(kept))).status_code == 401
    assert (await other_api.get("/v1/orders")).status_code == 200

    await platform.post(f"/v1/merchants/{MERCHANT}/resume")
    await asyncio.sleep(1.1)

    assert (await api.get("/v1/orders", headers=bearer(kept))).status_code == 200
    assert (await api.get("/v1/orders", headers=bearer(gone))).status_code == 401
    told = [change.HasField("suspended_at") for change in await changes(db, kept.json()["id"])]
    assert told == [False, True, False]


async def test_a_key_issued_for_a_suspended_merchant_is_suspended(
    platform: httpx.AsyncClient, db: Database
) -> None:
    await platform.post(f"/v1/merchants/{OTHER_MERCHANT}/suspend", json=REASON)

    issued = await issue(platform, merchant_id=str(OTHER_MERCHANT))

    assert issued.json()["suspended_at"]
    [change] = await changes(db, issued.json()["id"])
    assert change.HasField("suspended_at")


async def test_no_key_slips_through_a_suspension_that_comes_at_the_same_time(
    platform: httpx.AsyncClient,
) -> None:
    async def issue_one(number: int) -> httpx.Response:
        return await issue(platform, name=f"key {number}", merchant_id=str(MERCHANT))

    path = f"/v1/merchants/{MERCHANT}/suspend"
    answers = await asyncio.gather(
        *(issue_one(number) for number in range(10)),
        platform.post(path, json=REASON),
        *(issue_one(number) for number in range(10, 20)),
    )

    assert all(answer.is_success for answer in answers)
    for answer in answers:
        if answer.status_code == 201:
            read: dict[str, Any] = (
                await platform.get(f"/v1/api-keys/{answer.json()['id']}")
            ).json()
            assert read["suspended_at"] is not None


async def test_only_the_platform_suspends(
    api: httpx.AsyncClient, platform: httpx.AsyncClient
) -> None:
    assert (await api.post(f"/v1/merchants/{MERCHANT}/suspend", json=REASON)).status_code == 403
    for verb in ("suspend", "resume"):
        body = REASON if verb == "suspend" else None
        answer = await platform.post(f"/v1/merchants/{new_id()}/{verb}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "merchant_not_found")
