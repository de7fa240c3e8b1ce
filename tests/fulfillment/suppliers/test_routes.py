"""Setting up suppliers: secrets go in and never come out."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from tests.fulfillment.conftest import ApiClient
from tests.fulfillment.factories import OTHER_MERCHANT
from tests.suppliers.generic.peer import FormPeer, LinesPeer

SECRET = "3f0c9a7be1d24c55"
ACME = {
    "name": "acme",
    "connector": "generic",
    "base_url": "https://api.acme.example/v1",
    "account_id": "shop-17",
    "secret": SECRET,
}


@pytest.fixture
async def operator(api: ApiClient) -> httpx.AsyncClient:
    return await api("suppliers:read", "suppliers:write")


async def test_a_supplier_is_set_up_and_its_secret_is_never_read_back(
    operator: httpx.AsyncClient, db: Database
) -> None:
    made = await operator.post("/v1/suppliers", json=ACME, headers={"Idempotency-Key": "a" * 20})

    assert made.status_code == 201, made.text
    read = await operator.get(f"/v1/suppliers/{made.json()['id']}")
    listed = await operator.get("/v1/suppliers")
    assert made.json() == read.json() == listed.json()["items"][0]
    assert made.headers["location"] == f"/v1/suppliers/{made.json()['id']}"
    for answer in (made, read, listed):
        assert SECRET not in answer.text
    async with db.read() as tx:
        for table in ("supplier", "idempotency"):
            rows = await tx.execute(text(f"SELECT t::text AS row FROM {table} t"))  # noqa: S608
            [row] = rows.all()
            assert SECRET not in row.row
            assert SECRET.encode().hex() not in row.row


async def test_what_is_changed_changes_and_the_rest_stays(operator: httpx.AsyncClient) -> None:
    made = (await operator.post("/v1/suppliers", json=ACME)).json()

    body = {"is_enabled": False, "timeout_seconds": 3.5, "secret": "another-secret"}
    changed = await operator.patch(f"/v1/suppliers/{made['id']}", json=body)

    until = changed.json()["former_callback_until"]
    rotated = {**made, "is_enabled": False, "former_callback_until": until}
    assert changed.json() == {**rotated, "timeout_seconds": 3.5}
    again = await operator.patch(f"/v1/suppliers/{made['id']}", json={"timeout_seconds": None})
    assert again.json() == rotated


@pytest.mark.parametrize(
    ("account", "moved"),
    [
        (ACME, {"base_url": "https://api.elsewhere.example/v1"}),
        (ACME, {"base_url": "https://api.acme.example:8443/v1"}),
        (
            {"name": "reloadly", "connector": "reloadly", "secret": SECRET},
            {"options": {"auth_url": "https://auth.elsewhere.example/token"}},
        ),
        (
            {"name": "reloadly", "connector": "reloadly", "secret": SECRET},
            {"base_url": "https://topups.elsewhere.example"},
        ),
    ],
)
async def test_a_secret_that_is_kept_goes_to_no_other_host(
    operator: httpx.AsyncClient, account: dict[str, Any], moved: dict[str, Any]
) -> None:
    path = (await operator.post("/v1/suppliers", json=account)).headers["location"]

    refused = await operator.patch(path, json=moved)
    untouched = (await operator.get(path)).json()
    taken = await operator.patch(path, json={**moved, "secret": "another-secret"})
    stays = await operator.patch(path, json={**moved, "is_enabled": False})

    assert (refused.status_code, refused.json()["code"]) == (422, "supplier_secret_needed")
    assert all(untouched[name] != value for name, value in moved.items())
    assert (taken.status_code, stays.status_code) == (200, 200)


async def test_another_path_of_the_same_host_needs_no_secret(operator: httpx.AsyncClient) -> None:
    path = (await operator.post("/v1/suppliers", json=ACME)).headers["location"]

    changed = await operator.patch(path, json={"base_url": "https://API.acme.example/v2"})

    assert (changed.status_code, changed.json()["base_url"]) == (200, "https://API.acme.example/v2")


async def test_how_long_the_secret_before_is_believed_is_for_the_operator_to_say(
    operator: httpx.AsyncClient,
) -> None:
    made = (await operator.post("/v1/suppliers", json=ACME)).json()
    path = f"/v1/suppliers/{made['id']}"

    for wrong in (-1, 2_592_001, 0.5, "60"):
        body = {"secret": "another-secret", "callback_overlap_seconds": wrong}
        assert (await operator.patch(path, json=body)).status_code == 422, wrong
    at_once = {"secret": "another-secret", "callback_overlap_seconds": 0}
    assert (await operator.patch(path, json=at_once)).json()["former_callback_until"] is None
    later = {"callback_secret": "third-secret", "callback_overlap_seconds": 60}
    assert (await operator.patch(path, json=later)).json()["former_callback_until"] is not None


async def test_what_cannot_work_is_refused_with_its_reason(operator: httpx.AsyncClient) -> None:
    assert (await operator.post("/v1/suppliers", json=ACME)).status_code == 201
    for change, status, code in (
        ({}, 409, "supplier_name_taken"),
        ({"name": "b", "connector": "nobody"}, 422, "unknown_connector"),
        ({"name": "b", "base_url": None}, 422, "base_url_missing"),
        ({"name": "b", "base_url": "ftp://acme.example"}, 422, "validation_failed"),
        ({"name": "b", "secret": "s3cr-t"}, 422, "validation_failed"),
        ({"name": "b", "timeout_seconds": 600}, 422, "validation_failed"),
    ):
        answer = await operator.post("/v1/suppliers", json={**ACME, **change})
        assert answer.status_code == status, answer.text
        assert answer.json()["code"] == code, answer.text
        assert "s3cr-t" not in answer.text


async def test_another_merchants_supplier_does_not_exist(
    operator: httpx.AsyncClient, api: ApiClient
) -> None:
    made = (await operator.post("/v1/suppliers", json=ACME)).json()
    other = await api("suppliers:read", "suppliers:write", merchant_id=OTHER_MERCHANT)

    assert (await other.get("/v1/suppliers")).json()["items"] == []
    path = f"/v1/suppliers/{made['id']}"
    for answer in (await other.get(path), await other.patch(path, json={"is_enabled": False})):
        assert (answer.status_code, answer.json()["code"]) == (404, "supplier_not_found")
    # The same name is free for everybody else.
    assert (await other.post("/v1/suppliers", json=ACME)).status_code == 201


async def test_each_call_needs_its_scope(api: ApiClient) -> None:
    reader = await api("suppliers:read")
    assert (await reader.post("/v1/suppliers", json=ACME)).status_code == 403
    assert (await reader.patch(f"/v1/suppliers/{new_id()}", json={})).status_code == 403
    stranger = await api("deliveries:read")
    for path in ("/v1/suppliers", "/v1/purchases", f"/v1/purchases/{new_id()}"):
        assert (await stranger.get(path)).status_code == 403


async def test_an_account_carries_its_connectors_options_and_a_second_secret(
    api: ApiClient,
) -> None:
    client = await api("suppliers:read", "suppliers:write")
    body = {
        **ACME,
        "options": FormPeer().options,
        "callback_secret": "another-secret-17",
    }

    made = await client.post("/v1/suppliers", json=body)

    assert made.status_code == 201, made.text
    read = made.json()
    assert read["options"] == FormPeer().options
    assert read["has_callback_secret"]
    assert read["callback_url"] == f"http://fulfillment/v1/supplier-callbacks/{read['id']}"
    assert "another-secret" not in made.text
    path = f"/v1/suppliers/{read['id']}"
    changed = await client.patch(path, json={"options": LinesPeer().options})
    assert changed.json()["options"] == LinesPeer().options
    assert (await client.patch(path, json={"is_enabled": False})).json()["has_callback_secret"]


async def test_options_that_do_not_fit_are_refused_with_their_part(api: ApiClient) -> None:
    client = await api("suppliers:write")
    guardless = {**FormPeer().options, "purchase": {"path": "/buy", "fields": {}}}

    refused = await client.post("/v1/suppliers", json={**ACME, "options": guardless})

    assert refused.status_code == 422
    assert refused.json()["code"] == "supplier_options_not_fitting"
    assert "reference" in refused.json()["why"]
    deaf = await client.post(
        "/v1/suppliers", json={**ACME, "connector": "demo", "options": {"a": 1}}
    )
    assert deaf.json()["code"] == "supplier_options_not_fitting"
    giant = await client.post("/v1/suppliers", json={**ACME, "options": {"a": "x" * 20_000}})
    assert giant.status_code == 422
