import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from kit.auth import ServiceTokens, mint_api_key
from tests.kit.http.conftest import SECRET, Bench


async def test_a_call_without_a_key_is_told_how_to_authenticate(bench: Bench):
    answer = await bench.http.get("/notes/1")

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthenticated"


async def test_a_well_formed_key_nobody_issued_is_refused(bench: Bench):
    answer = await bench.http.get("/notes/1", headers=bench.bearer(mint_api_key()))

    assert answer.status_code == 401


async def test_a_key_without_the_scope_is_told_which(bench: Bench):
    key = await bench.add_key(scopes=["other:read"])
    answer = await bench.http.get("/notes/1", headers=bench.bearer(key))

    assert answer.status_code == 403
    assert answer.json()["scope"] == "notes:read"


async def test_an_expired_key_is_refused(bench: Bench):
    past = datetime.now(UTC) - timedelta(seconds=1)
    key = await bench.add_key(scopes=["notes:read"], expires_at=past)

    assert (await bench.http.get("/notes/1", headers=bench.bearer(key))).status_code == 401


async def test_a_revoked_key_dies_within_the_cache_time(bench: Bench):
    assert (await bench.http.get("/notes/1", headers=bench.bearer())).status_code == 200
    async with bench.db.transaction() as tx:
        await tx.execute(text("UPDATE api_key SET revoked_at = now()"))
    await asyncio.sleep(0.25)

    answer = await bench.http.get("/notes/1", headers=bench.bearer())
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]


async def test_a_key_bound_to_networks_opens_nothing_elsewhere(bench: Bench):
    inside = await bench.add_key(scopes=["notes:read"], allowed_ips=["127.0.0.0/8", "::1/128"])
    outside = await bench.add_key(scopes=["notes:read"], allowed_ips=["203.0.113.0/24"])

    assert (await bench.http.get("/notes/1", headers=bench.bearer(inside))).status_code == 200
    headers = {**bench.bearer(outside), "X-Forwarded-For": "203.0.113.7"}
    refused = await bench.http.get("/notes/1", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
    posted = await bench.http.post("/notes", headers=headers, json={"title": "x"})
    assert posted.json()["code"] == "address_not_allowed"

    bench.app.state.trusted_proxies = 1
    assert (await bench.http.get("/notes/1", headers=headers)).status_code == 200
    headers["X-Forwarded-For"] = "203.0.113.7, 198.51.100.1"
    assert (await bench.http.get("/notes/1", headers=headers)).status_code == 403


async def test_networks_and_suspensions_are_felt_within_the_cache_time(bench: Bench):
    async def becomes(change: str, status: int) -> None:
        assert (await bench.http.get("/notes/1", headers=bench.bearer())).status_code == 200
        async with bench.db.transaction() as tx:
            await tx.execute(text(f"UPDATE api_key SET {change}"))  # noqa: S608 - our own texts
        await asyncio.sleep(0.25)
        answer = await bench.http.get("/notes/1", headers=bench.bearer())
        assert answer.status_code == status

    await becomes("allowed_ips = '{203.0.113.0/24}'", 403)
    async with bench.db.transaction() as tx:
        await tx.execute(text("UPDATE api_key SET allowed_ips = '{}'"))
    await asyncio.sleep(0.25)
    await becomes("suspended_at = now()", 401)


async def test_a_keys_last_use_is_noted_and_not_at_every_call(bench: Bench):
    async def noted() -> datetime | None:
        async with bench.db.read() as tx:
            found = await tx.execute(text("SELECT last_used_at FROM api_key"))
            used: datetime | None = found.scalar_one()
            return used

    assert await noted() is None
    wrong = {"Authorization": f"Bearer {mint_api_key().text}"}
    await bench.http.get("/notes/1", headers=wrong)
    assert await noted() is None

    await asyncio.gather(*(bench.http.get("/notes/1", headers=bench.bearer()) for _ in range(10)))
    first = await noted()
    assert first is not None
    await asyncio.sleep(0.25)
    await bench.http.get("/notes/1", headers=bench.bearer())
    assert await noted() == first


async def test_a_service_token_may_act_for_a_merchant(bench: Bench):
    token = ServiceTokens(SECRET).issue("order")
    headers = {"Authorization": f"Bearer {token}", "Lockstock-Merchant": str(bench.merchant_id)}

    assert (await bench.http.get("/notes/1", headers=headers)).status_code == 200
    headers["Lockstock-Merchant"] = "not-an-id"
    assert (await bench.http.get("/notes/1", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": "a\u0000b"}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "a", "stars": 6}, "/stars"),
        ({"title": "a", "colour": "red"}, "/colour"),
        ([], "/"),
    ],
)
async def test_a_wrong_field_is_named_and_its_value_is_not_echoed(bench: Bench, body, pointer):
    answer = await bench.http.post("/notes", json=body, headers=bench.bearer())

    problem = answer.json()
    assert answer.status_code == 422
    assert problem["errors"][0]["pointer"] == pointer
    assert set(problem["errors"][0]) == {"pointer", "code", "detail"}


async def test_a_body_that_is_no_json_is_400(bench: Bench):
    headers = {**bench.bearer(), "Content-Type": "application/json"}
    answer = await bench.http.post("/notes", content=b'{"title":', headers=headers)

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed_json"


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(bench: Bench, chunked: bool):
    body = json.dumps({"title": "x", "stars": 1, "pad": "y" * 3_000}).encode()

    async def chunks():
        for start in range(0, len(body), 500):
            yield body[start : start + 500]

    headers = {**bench.bearer(), "Content-Type": "application/json"}
    content = chunks() if chunked else body
    answer = await bench.http.post("/notes", content=content, headers=headers)

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


async def test_a_bug_answers_500_without_its_text(bench: Bench):
    answer = await bench.http.get("/notes/13", headers=bench.bearer())

    assert answer.status_code == 500
    assert "REAL2" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_unavailable_says_when_to_come_back(bench: Bench):
    answer = await bench.http.get("/notes/14", headers=bench.bearer())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_unknown_paths_and_methods_are_problems_too(bench: Bench):
    assert (await bench.http.get("/nowhere")).json()["code"] == "no_such_path"
    assert (await bench.http.delete("/notes/1")).json()["code"] == "method_not_allowed"


async def test_the_request_id_of_the_caller_comes_back_unless_it_is_garbage(bench: Bench):
    kept = await bench.http.get("/healthz", headers={"X-Request-Id": "shop-42"})
    replaced = await bench.http.get("/healthz", headers={"X-Request-Id": "a b\tc"})

    assert kept.headers["x-request-id"] == "shop-42"
    assert replaced.headers["x-request-id"] != "a b\tc"


async def test_readiness_names_the_part_that_is_missing(bench: Bench):
    assert (await bench.http.get("/readyz")).json()["checks"] == {"database": "ok"}


async def test_metrics_count_requests_by_route_not_by_path(bench: Bench):
    await bench.http.get("/notes/7", headers=bench.bearer())
    text_ = (await bench.http.get("/metrics")).text

    assert 'route="/notes/{number}"' in text_
    assert "/notes/7" not in text_


async def test_the_docs_need_no_other_host(bench: Bench):
    page = (await bench.http.get("/docs")).text

    assert "/static/swagger/" in page
    assert "https://" not in page


async def test_openapi_documents_the_problem_and_the_key(bench: Bench):
    schema = (await bench.http.get("/openapi.json")).json()

    assert "Problem" in schema["components"]["schemas"]
    assert "API key" in schema["components"]["securitySchemes"]


async def test_a_wrong_part_of_the_path_is_named(bench: Bench):
    good = await bench.http.post(
        f"/notes/{bench.merchant_id}/stars", json={"title": "a"}, headers=bench.bearer()
    )
    wrong = await bench.http.post("/notes/7/stars", json={"title": "a"}, headers=bench.bearer())

    assert good.json() == f"{bench.merchant_id} 0"
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "path/note_id"


async def test_a_missing_body_is_named(bench: Bench):
    answer = await bench.http.post("/notes", headers=bench.bearer())

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/"


async def test_a_stranger_is_not_told_what_the_input_should_be(bench: Bench):
    assert (await bench.http.post("/notes", json={"title": ""})).status_code == 401
