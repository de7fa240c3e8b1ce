"""Templates over HTTP: written, previewed, versioned, and one merchant's alone."""

import httpx
import pytest

from tests.fulfillment.conftest import ApiClient
from tests.fulfillment.factories import OTHER_MERCHANT

PLACED = {
    "purpose": "delivered",
    "language": "en",
    "channel": "mail",
    "subject": "Order {{ reference }}",
    "body": "{{ url }}",
}


@pytest.fixture
async def operator(api: ApiClient) -> httpx.AsyncClient:
    return await api("templates:read", "templates:write")


async def test_a_template_is_written_and_read(operator: httpx.AsyncClient):
    made = await operator.post("/v1/templates", json=PLACED)
    read = await operator.get(made.headers["Location"])
    listed = await operator.get("/v1/templates?purpose=delivered")

    assert made.status_code == 201
    assert read.json() == made.json()
    assert read.json()["version"] == 1
    assert [it["id"] for it in listed.json()["items"]] == [made.json()["id"]]
    assert (await operator.get("/v1/templates?purpose=refunded")).json()["items"] == []


async def test_each_version_stays_to_be_read(operator: httpx.AsyncClient):
    made = (await operator.post("/v1/templates", json=PLACED)).json()
    path = f"/v1/templates/{made['id']}/versions"

    second = await operator.post(path, json={"subject": "Two", "body": "{{ reference }}"})
    first_page = (await operator.get(f"{path}?limit=1")).json()
    second_page = (await operator.get(f"{path}?limit=1&cursor={first_page['next_cursor']}")).json()

    assert second.status_code == 201
    assert [it["version"] for it in first_page["items"]] == [2]
    assert [it["version"] for it in second_page["items"]] == [1]
    assert (await operator.get(f"/v1/templates/{made['id']}")).json()["subject"] == "Two"


async def test_a_place_has_one_template(operator: httpx.AsyncClient):
    await operator.post("/v1/templates", json=PLACED)

    again = await operator.post("/v1/templates", json=PLACED)
    elsewhere = await operator.post("/v1/templates", json={**PLACED, "language": "fr"})

    assert (again.status_code, again.json()["code"]) == (409, "template_taken")
    assert elsewhere.status_code == 201


async def test_a_preview_shows_made_up_values_and_stores_nothing(operator: httpx.AsyncClient):
    body = "{% for line in lines %}{{ line.codes|join }}{% endfor %}"

    shown = await operator.post(
        "/v1/templates/preview", json={**PLACED, "body": body, "with_codes": True}
    )

    assert shown.json() == {
        "subject": "Order shop-10001",
        "body": "EXAMPLE-CODE-0000\n",
        "parameters": {},
    }
    assert (await operator.get("/v1/templates")).json()["items"] == []


@pytest.mark.parametrize("path", ["/v1/templates", "/v1/templates/preview"])
async def test_what_it_must_not_hold_is_told_with_its_place(operator: httpx.AsyncClient, path: str):
    answer = await operator.post(path, json={**PLACED, "body": "a\n b {{ secret }}"})

    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "template_refused"
    assert (problem["part"], problem["reason"], problem["line"], problem["column"]) == (
        "body",
        "undefined",
        2,
        7,
    )


async def test_a_subject_of_two_lines_is_refused(operator: httpx.AsyncClient):
    answer = await operator.post("/v1/templates", json={**PLACED, "subject": "a\r\nBcc: x"})

    assert answer.status_code == 422


async def test_parameters_of_a_gateway_are_templates_in_their_order(operator: httpx.AsyncClient):
    sms = {
        **PLACED,
        "channel": "sms",
        "gateway_template": "SMS_1",
        "parameters": {"order": "{{ reference }}", "link": "{{ url }}"},
    }

    made = await operator.post("/v1/templates", json=sms)
    shown = await operator.post("/v1/templates/preview", json=sms)
    wrong = await operator.post("/v1/templates", json={**sms, "parameters": {"x": "{{ x }}"}})

    assert list(made.json()["parameters"]) == ["order", "link"]
    assert shown.json()["parameters"]["order"] == "shop-10001"
    assert wrong.json()["part"] == "parameters.x"


async def test_another_merchant_finds_nothing(operator: httpx.AsyncClient, api: ApiClient):
    made = (await operator.post("/v1/templates", json=PLACED)).json()
    other = await api("templates:read", "templates:write", merchant_id=OTHER_MERCHANT)
    path = f"/v1/templates/{made['id']}"

    draft = {"subject": "x", "body": "x"}
    assert (await other.get(path)).status_code == 404
    assert (await other.get(f"{path}/versions")).status_code == 404
    assert (await other.post(f"{path}/versions", json=draft)).status_code == 404
    assert (await other.get("/v1/templates")).json()["items"] == []


async def test_an_unknown_purpose_is_refused_with_the_known_ones(operator: httpx.AsyncClient):
    answer = await operator.post("/v1/templates", json={**PLACED, "purpose": "birthday"})

    assert answer.json()["code"] == "unknown_purpose"
    assert "delivered" in answer.json()["known"]
