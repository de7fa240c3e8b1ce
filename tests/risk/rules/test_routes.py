"""Rules as an operator writes them."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.ids import new_id
from kit.service import Service
from tests.risk.factories import CATALOGUE, MERCHANT, OTHER_MERCHANT
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


def a_body(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Large orders of new buyers",
        "priority": 50,
        "mode": "enforce",
        "condition": "first_purchase && amount_minor > 100000",
        "action": "hold",
    } | changes


async def test_every_merchant_starts_with_the_rules_of_the_platform(
    client: httpx.AsyncClient,
) -> None:
    rules = (await client.get("/v1/rules")).json()["items"]

    assert {it["template"]: (it["condition"], it["action"]) for it in rules} == {
        "ip-velocity": ("purchases_by_ip_1h > 5", "hold"),
        "block-list": ("'block' in lists", "decline"),
        "allow-list": ("'allow' in lists", "allow"),
    }
    (rule,) = (it for it in rules if it["template"] == "ip-velocity")
    assert (rule["condition"], rule["action"], rule["mode"]) == (
        "purchases_by_ip_1h > 5",
        "hold",
        "enforce",
    )
    assert (rule["template"], rule["author"], rule["version"]) == ("ip-velocity", "platform", 1)
    assert (await client.get("/v1/rules")).json()["items"] == rules


async def test_a_rule_is_written_as_version_one_and_read_back(client: httpx.AsyncClient) -> None:
    created = await client.post("/v1/rules", json=a_body())

    assert created.status_code == 201
    assert created.json()["version"] == 1
    assert (await client.get(created.headers["Location"])).json() == created.json()


async def test_a_change_is_a_new_version_and_the_old_one_stays(client: httpx.AsyncClient) -> None:
    url = (await client.post("/v1/rules", json=a_body())).headers["Location"]

    changed = await client.put(url, json=a_body(action="decline", expected_version=1))

    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    versions = (await client.get(f"{url}/versions")).json()["items"]
    assert [(it["version"], it["action"]) for it in versions] == [(2, "decline"), (1, "hold")]


async def test_a_change_of_an_old_version_is_refused(client: httpx.AsyncClient) -> None:
    url = (await client.post("/v1/rules", json=a_body())).headers["Location"]
    await client.put(url, json=a_body())

    refused = await client.put(url, json=a_body(expected_version=1))

    assert (refused.status_code, refused.json()["code"]) == (409, "rule_changed")
    assert refused.json()["version"] == 2


@pytest.mark.parametrize(
    ("condition", "where"),
    [("amont_minor > 5", "1:1"), ("amount_minor > 5 &&\n  ip > 3", "2:6"), ("amount_minor", "1:1")],
)
async def test_a_wrong_condition_is_refused_with_field_line_and_column(
    client: httpx.AsyncClient, condition: str, where: str
) -> None:
    url = (await client.post("/v1/rules", json=a_body())).headers["Location"]

    for refused in (
        await client.post("/v1/rules", json=a_body(condition=condition)),
        await client.put(url, json=a_body(condition=condition)),
        await client.post("/v1/rules/test", json={"facts": {}, "condition": condition}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (422, "condition_refused")
        (error,) = refused.json()["errors"]
        assert error["pointer"] == "/condition"
        assert error["detail"].startswith(f"{where}: ")
    assert len((await client.get("/v1/rules")).json()["items"]) == 4


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"priority": 0}, "/priority"),
        ({"priority": 2**40}, "/priority"),
        ({"action": "explode"}, "/action"),
        ({"mode": "maybe"}, "/mode"),
        ({"name": ""}, "/name"),
        ({"condition": ""}, "/condition"),
        ({"condition": "true" + " " * 3000}, "/condition"),
        ({"condition": "ip == '\x00'"}, "/condition"),
        ({"extra": 1}, "/extra"),
    ],
)
async def test_bad_input_is_refused_by_name(
    client: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    refused = await client.post("/v1/rules", json=a_body(**change))

    assert refused.status_code == 422
    assert pointer in [it["pointer"] for it in refused.json()["errors"]]


async def test_a_rule_is_taken_out_of_force_and_put_back(client: httpx.AsyncClient) -> None:
    rules = (await client.get("/v1/rules")).json()["items"]
    (rule,) = (it for it in rules if it["template"] == "ip-velocity")
    facts = {"facts": {"purchases_by_ip_1h": 6}}

    async def decision() -> str:
        answer = await client.post("/v1/rules/test", json=facts)
        return str(answer.json()["decision"])

    assert await decision() == "hold"
    assert (await client.post(f"/v1/rules/{rule['id']}/disable")).json()["is_enabled"] is False
    assert await decision() == "allow"
    assert (await client.post(f"/v1/rules/{rule['id']}/enable")).json()["is_enabled"] is True
    assert await decision() == "hold"


async def test_a_trial_says_what_would_happen_and_why(client: httpx.AsyncClient) -> None:
    await client.post("/v1/rules", json=a_body(mode="shadow", condition="amount_minor > 5"))

    trial = await client.post(
        "/v1/rules/test",
        json={
            "facts": {"purchases_by_ip_1h": 6, "amount_minor": 9, "skus": ["A", "B"]},
            "condition": "'B' in skus",
        },
    )

    answer = trial.json()
    assert (answer["condition_holds"], answer["decision"]) == (True, "hold")
    assert {it["mode"]: it["values"] for it in answer["rules"]} == {
        "enforce": {"purchases_by_ip_1h": 6},
        "shadow": {"amount_minor": 9},
    }
    assert "purchases_by_ip_1h = 6" in answer["rules"][1]["explanation"]


async def test_a_trial_tells_when_a_condition_has_no_answer(client: httpx.AsyncClient) -> None:
    trial = await client.post(
        "/v1/rules/test", json={"facts": {}, "condition": "amount_minor / line_count > 1"}
    )

    assert trial.json()["condition_holds"] is None
    assert "divide by zero" in trial.json()["condition_failure"]


async def test_rules_are_listed_in_pages(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await client.post("/v1/rules", json=a_body())

    first = (await client.get("/v1/rules", params={"limit": 3})).json()
    rest = (
        await client.get("/v1/rules", params={"limit": 3, "cursor": first["next_cursor"]})
    ).json()

    assert len(first["items"]) == 3
    assert len(rest["items"]) == 2
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", "WzFd", "W10", "eyJhIjoxfQ", "W251bGxd"])
async def test_a_foreign_cursor_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    rule = (await client.get("/v1/rules")).json()["items"][0]

    refused = await client.get("/v1/rules", params={"cursor": cursor})
    versions = await client.get(f"/v1/rules/{rule['id']}/versions", params={"cursor": cursor})

    assert refused.status_code == 422
    assert versions.status_code in (200, 422)


async def test_a_merchant_has_at_most_two_hundred_rules(
    client: httpx.AsyncClient, service: Service
) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(
            text("""INSERT INTO rule (id, merchant_id, version, is_enabled)
                    SELECT gen_random_uuid(), :merchant_id, 1, false
                    FROM generate_series(1, 200)"""),
            {"merchant_id": MERCHANT},
        )

    refused = await client.post("/v1/rules", json=a_body())

    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_rules")


async def test_another_merchants_rules_do_not_exist(
    client: httpx.AsyncClient, api: ApiClient
) -> None:
    url = (await client.post("/v1/rules", json=a_body())).headers["Location"]
    stranger = await api("risk:read", "risk:write", merchant_id=OTHER_MERCHANT)

    for answer in (
        await stranger.get(url),
        await stranger.get(f"{url}/versions"),
        await stranger.put(url, json=a_body()),
        await stranger.post(f"{url}/disable"),
        await stranger.get(f"/v1/rules/{new_id()}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "rule_not_found")


async def test_reading_does_not_allow_writing(api: ApiClient) -> None:
    reader = await api("risk:read")

    refused = await reader.post("/v1/rules", json=a_body())

    assert (refused.status_code, refused.json()["scope"]) == (403, "risk:write")


async def test_the_catalogue_names_every_fact_and_how_counts_are_named(
    client: httpx.AsyncClient,
) -> None:
    answer = (await client.get("/v1/facts")).json()

    assert {it["name"] for it in answer["items"]} >= set(CATALOGUE.plain)
    assert all(it["meaning"] for it in answer["items"])
    assert {it["name"] for it in answer["counts"]["keys"]} >= {"ip", "ip_24", "payer", "product"}
    assert {it["name"] for it in answer["counts"]["measures"]} >= {"purchases", "amount", "devices"}


@pytest.mark.parametrize(
    ("given", "pointer", "problem"),
    [
        ({"amont_minor": 5}, "/facts/amont_minor", "did you mean 'amount_minor'?"),
        ({"purchases_by_ip_1y": 5}, "/facts/purchases_by_ip_1y", "a window is 1m to 90d"),
        ({"amount_minor": True}, "/facts/amount_minor", "a int is needed"),
        ({"has_ip": 1}, "/facts/has_ip", "a bool is needed"),
        ({"skus": "A"}, "/facts/skus", "a list(string) is needed"),
        ({"skus": [1]}, "/facts/skus", "a list(string) is needed"),
        ({"placed_at": "yesterday"}, "/facts/placed_at", "a timestamp is needed"),
        ({"placed_at": "2026-11-27T10:00:00"}, "/facts/placed_at", "a timestamp is needed"),
        # In UTC these lie before the first year and behind the last one.
        ({"placed_at": "0001-01-01T00:00:00+14:00"}, "/facts/placed_at", "a timestamp is needed"),
        ({"placed_at": "9999-12-31T23:59:59-14:00"}, "/facts/placed_at", "a timestamp is needed"),
    ],
)
async def test_a_wrong_fact_is_refused_by_name(
    client: httpx.AsyncClient, given: dict[str, Any], pointer: str, problem: str
) -> None:
    refused = await client.post("/v1/rules/test", json={"facts": given})

    assert (refused.status_code, refused.json()["code"]) == (422, "fact_refused")
    (error,) = refused.json()["errors"]
    assert (error["pointer"], error["detail"][: len(problem)]) == (pointer, problem)


async def test_every_kind_of_fact_can_be_given_to_a_trial(client: httpx.AsyncClient) -> None:
    given = {
        "amount_minor": 1,
        "has_ip": True,
        "ip": "203.0.113.7",
        "skus": ["A"],
        "quantities": [2],
        "placed_at": "2026-11-27T20:00:00Z",
        "amount_by_payer_30d": 7,
    }
    condition = (
        "has_ip && skus[0] == 'A' && quantities[0] == 2 && amount_by_payer_30d == 7 "
        "&& placed_at.getHours('Asia/Shanghai') == 4"
    )

    trial = await client.post("/v1/rules/test", json={"facts": given, "condition": condition})

    assert trial.json()["condition_holds"] is True
