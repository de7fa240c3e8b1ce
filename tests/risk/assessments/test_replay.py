"""Decisions made again, and shadow rules beside live ones."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from tests.risk.conftest import Assess
from tests.risk.factories import OTHER_MERCHANT, an_order
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


async def add_rule(client: httpx.AsyncClient, condition: str, **changes: Any) -> dict[str, Any]:
    body = {"name": "A rule", "condition": condition, "action": "hold", **changes}
    answer = await client.post("/v1/rules", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def newest(client: httpx.AsyncClient) -> dict[str, Any]:
    page = (await client.get("/v1/assessments", params={"limit": 1})).json()
    found: dict[str, Any] = page["items"][0]
    return found


async def test_a_decision_is_made_again_to_the_same_answer_though_rules_changed_since(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    held = await add_rule(client, "amount_by_ip_90m >= 3980 && 'STEAM-50' in skus")
    await add_rule(client, "placed_at.getHours('Asia/Shanghai') == 20", mode="shadow")
    await add_rule(client, "amount_minor / (line_count - 1) > 1", mode="shadow")
    limits = {"hold_seconds": 60}
    await add_rule(client, "true", action="limit", limits=limits)
    await assess([an_order()])
    await assess([an_order(customer_id="anna", contact_hash="ab")])
    recorded = await newest(client)
    changed = {"name": "Other", "condition": "false", "action": "decline"}
    await client.put(f"/v1/rules/{held['id']}", json=changed)
    for rule in (await client.get("/v1/rules")).json()["items"]:
        await client.post(f"/v1/rules/{rule['id']}/disable")

    replayed = (await client.post(f"/v1/assessments/{recorded['id']}/replay")).json()

    assert replayed["is_same"] is True
    assert (replayed["asked"], recorded["asked"]) == ("hold", "hold")
    assert replayed["rules"] == recorded["rules"]
    assert len(recorded["rules"]) == 4
    assert replayed["limits"]["hold_seconds"] == 60
    assert replayed["recorded"] == recorded
    assert (await client.get(f"/v1/assessments/{recorded['id']}")).json() == recorded


async def test_a_record_that_was_tampered_with_is_not_the_same(
    client: httpx.AsyncClient, assess: Assess, db: Database
) -> None:
    await assess([an_order() for _ in range(6)])
    held = next(
        it for it in (await client.get("/v1/assessments")).json()["items"] if it["asked"] == "hold"
    )
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE assessment SET asked = 'allow', outcomes = '[]'"))

    replayed = (await client.post(f"/v1/assessments/{held['id']}/replay")).json()

    assert (replayed["is_same"], replayed["asked"]) == (False, "hold")


async def test_what_was_decided_before_versions_were_kept_cannot_be_made_again(
    client: httpx.AsyncClient, assess: Assess, db: Database
) -> None:
    await assess([an_order()])
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE assessment SET rule_set_id = NULL"))

    refused = await client.post(f"/v1/assessments/{(await newest(client))['id']}/replay")

    assert (refused.status_code, refused.json()["code"]) == (409, "not_replayable")


async def test_another_merchants_assessment_does_not_exist(
    client: httpx.AsyncClient, api: ApiClient, assess: Assess
) -> None:
    await assess([an_order()])
    id_ = (await newest(client))["id"]
    stranger = await api("risk:read", merchant_id=OTHER_MERCHANT)

    for answer in (
        await stranger.get(f"/v1/assessments/{id_}"),
        await stranger.post(f"/v1/assessments/{id_}/replay"),
        await client.get(f"/v1/assessments/{new_id()}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "assessment_not_found")


async def test_the_report_tells_how_shadow_rules_did_beside_the_live_ones(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    strict = await add_rule(client, "quantity > 1", mode="shadow", action="decline")
    same = await add_rule(client, "purchases_by_ip_1h > 5", mode="shadow")
    broken = await add_rule(client, "skus[7] == ''", mode="shadow", priority=500)
    await add_rule(client, "false", mode="shadow")
    await assess([an_order() for _ in range(7)])

    report = (await client.get("/v1/shadow-report")).json()

    assert (report["judged"], report["fired"], report["differed"]) == (7, 7, 7)
    rules = {it["rule_id"]: it for it in report["rules"]}
    assert set(rules) == {strict["id"], same["id"], broken["id"]}
    assert (rules[strict["id"]]["fired"], rules[strict["id"]]["live"]) == (
        7,
        {"allow": 5, "hold": 2},
    )
    assert (rules[same["id"]]["fired"], rules[same["id"]]["live"]) == (2, {"hold": 2})
    assert (rules[broken["id"]]["fired"], rules[broken["id"]]["failed"]) == (0, 7)


async def test_the_report_is_about_the_time_asked_for(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    await assess([an_order()])
    now = datetime.now(UTC)

    async def judged(since: timedelta, until: timedelta) -> int:
        params = {"from": (now + since).isoformat(), "to": (now + until).isoformat()}
        return int((await client.get("/v1/shadow-report", params=params)).json()["judged"])

    assert await judged(timedelta(hours=-1), timedelta(hours=1)) == 1
    assert await judged(timedelta(hours=-2), timedelta(hours=-1)) == 0
    params = {"from": now.isoformat(), "to": (now + timedelta(days=93)).isoformat()}
    refused = await client.get("/v1/shadow-report", params=params)
    assert (refused.status_code, refused.json()["code"]) == (422, "report_too_long")
