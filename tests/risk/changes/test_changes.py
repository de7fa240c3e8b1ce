"""Who did what to rules, lists and the review policy: what decides about money is never silent."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.db import Database
from kit.errors import DomainError
from kit.ids import new_id
from tests.risk.conftest import Assess
from tests.risk.factories import IP, MERCHANT, OTHER_MERCHANT, an_order
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write", "reviews:write")


@pytest.fixture
async def colleague(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


async def changes(client: httpx.AsyncClient, **filters: Any) -> list[dict[str, Any]]:
    """Newest first."""
    answer = await client.get("/v1/changes", params=filters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_switching_a_rule_notes_who_did_it_and_when(
    client: httpx.AsyncClient, colleague: httpx.AsyncClient
) -> None:
    body = {"name": "Dear", "condition": "amount_minor > 5", "action": "hold"}
    rule = (await client.post("/v1/rules", json=body)).json()
    before = datetime.now(UTC)

    await client.post(f"/v1/rules/{rule['id']}/disable")
    await client.post(f"/v1/rules/{rule['id']}/disable")
    await colleague.post(f"/v1/rules/{rule['id']}/enable")

    enabled, disabled = await changes(client, about=rule["id"])
    assert [it["kind"] for it in (enabled, disabled)] == ["rule_enabled", "rule_disabled"]
    assert {it["about"] for it in (enabled, disabled)} == {rule["id"]}
    assert disabled["author"] == rule["author"] != enabled["author"]
    at = datetime.fromisoformat(enabled["at"])
    assert before - timedelta(minutes=1) < at < before + timedelta(minutes=1)


async def test_of_many_that_switch_at_once_one_did_it(client: httpx.AsyncClient) -> None:
    rule = (await client.get("/v1/rules")).json()["items"][0]

    await asyncio.gather(*(client.post(f"/v1/rules/{rule['id']}/disable") for _ in range(5)))

    assert [it["kind"] for it in await changes(client)] == ["rule_disabled"]


async def test_a_value_taken_off_a_list_leaves_what_was_said_of_it_and_by_whom(
    client: httpx.AsyncClient, colleague: httpx.AsyncClient
) -> None:
    url = "/v1/lists/block/entries"
    given = {
        "kind": "ip",
        "value": IP,
        "reason": "chargeback",
        "expires_at": "2031-01-01T00:00:00Z",
    }
    (entry,) = (await client.post(url, json={"entries": [given]})).json()["entries"]

    assert (await colleague.delete(f"{url}/{entry['id']}")).status_code == 204
    assert (await colleague.delete(f"{url}/{entry['id']}")).status_code == 404

    (removed,) = await changes(client, kind="entry_removed")
    assert removed["author"] != entry["author"]
    assert removed["was"] == {name: entry[name] for name in entry if name != "id"} | {
        "list": "block"
    }


async def test_a_value_put_on_a_list_again_leaves_what_was_said_before(
    client: httpx.AsyncClient, colleague: httpx.AsyncClient
) -> None:
    url = "/v1/lists/block/entries"
    old = {"kind": "ip", "value": IP, "reason": "for good"}
    new = {"kind": "device", "value": "phone", "reason": "new"}
    (entry,) = (await client.post(url, json={"entries": [old]})).json()["entries"]

    ended = old | {"reason": "over", "expires_at": "2026-01-01T00:00:00Z"}
    await colleague.post(url, json={"entries": [ended, new]})

    (replaced,) = await changes(client)
    assert (replaced["kind"], replaced["about"]) == ("entry_replaced", entry["id"])
    assert replaced["was"] == {name: entry[name] for name in entry if name != "id"}
    assert replaced["author"] != entry["author"]


async def test_a_new_review_policy_leaves_the_one_before(
    client: httpx.AsyncClient, colleague: httpx.AsyncClient
) -> None:
    policy = {"review_minutes": 5, "after_time": "decline", "challenge_fall_back": "hold"}
    await client.put("/v1/review-policy", json=policy)
    await colleague.put("/v1/review-policy", json=policy | {"after_time": "approve"})

    second, first = await changes(client, kind="review_policy_changed")
    assert (first["about"], first["was"]) == (str(MERCHANT), None)
    assert {name: second["was"][name] for name in policy} == policy
    assert second["was"]["author"] == first["author"] != second["author"]


async def test_changes_are_read_in_pages_by_their_merchant_only(
    client: httpx.AsyncClient, api: ApiClient
) -> None:
    rule = (await client.get("/v1/rules")).json()["items"][0]
    for verb in ("disable", "enable", "disable"):
        await client.post(f"/v1/rules/{rule['id']}/{verb}")
    stranger = await api("risk:read", merchant_id=OTHER_MERCHANT)

    seen, cursor = [], None
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/changes", params=params)).json()
        seen += [it["kind"] for it in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == ["rule_disabled", "rule_enabled", "rule_disabled"]
    assert await changes(stranger) == []
    assert await changes(stranger, about=rule["id"]) == []
    assert await changes(client, about=str(new_id())) == []


async def test_what_is_not_done_is_not_noted(client: httpx.AsyncClient, api: ApiClient) -> None:
    rule = (await client.get("/v1/rules")).json()["items"][0]
    stranger = await api("risk:read", "risk:write", merchant_id=OTHER_MERCHANT)

    assert (await stranger.post(f"/v1/rules/{rule['id']}/disable")).status_code == 404
    assert (await client.post(f"/v1/rules/{rule['id']}/enable")).status_code == 200

    assert await changes(client) == await changes(stranger) == []


@pytest.mark.parametrize("table", ["change", "review_act", "rule_version"])
@pytest.mark.parametrize("act", ["DELETE FROM {}", "UPDATE {} SET author = ''", "TRUNCATE {}"])
async def test_nobody_rewrites_what_was_done(
    client: httpx.AsyncClient, assess: Assess, db: Database, table: str, act: str
) -> None:
    await assess([an_order() for _ in range(6)])
    review = (await client.get("/v1/reviews")).json()["items"][0]
    await client.post(f"/v1/reviews/{review['id']}/decline", json={"note": "no"})
    rule = (await client.get("/v1/rules")).json()["items"][0]
    await client.post(f"/v1/rules/{rule['id']}/disable")
    column = "actor" if table == "review_act" else "author"
    statement = act.format(table).replace("author", column)

    with pytest.raises((DBAPIError, DomainError), match=r"append[-_]only"):
        async with db.transaction() as tx:
            await tx.execute(text(statement))
