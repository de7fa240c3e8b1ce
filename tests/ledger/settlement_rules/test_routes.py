"""The platform makes rules, merchants read and try them."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import text

from kit.db import Database
from tests.ledger.factories import CHANNEL, MERCHANT, OTHER_MERCHANT, PRODUCT
from tests.stack.api import ApiClient

PATH = "/v1/settlement-rules"
RULE: dict[str, Any] = {
    "merchant_id": str(MERCHANT),
    "currency": "CNY",
    "valid_from": "2026-01-01T00:00:00Z",
    "terms": {"basis_points": 500, "share_min": 10},
}
SALE = {"channel_id": str(CHANNEL), "product_id": str(PRODUCT), "currency": "CNY", "gross": 4_000}


async def platform(api: ApiClient) -> httpx.AsyncClient:
    return await api("platform:write", "ledger:read", merchant_id=None)


async def test_a_rule_is_made_and_read(api: ApiClient) -> None:
    operator, merchant = await platform(api), await api("ledger:read")

    made = await operator.post(PATH, json=RULE)

    assert made.status_code == 201, made.text
    rule = made.json()
    assert (rule["version"], rule["terms"]["basis_points"]) == (1, 500)
    assert (await merchant.get(made.headers["location"])).json() == rule
    assert (await merchant.get(PATH)).json()["items"] == [rule]


async def test_a_rule_names_holidays(api: ApiClient) -> None:
    operator = await platform(api)
    days = [f"2{it:03}-10-01" for it in range(400)]
    given = {**RULE["terms"], "payout_days": "business", "holidays": days}

    made = await operator.post(PATH, json={**RULE, "terms": given})

    assert made.status_code == 201, made.text
    read = (await operator.get(made.headers["location"])).json()
    assert read["terms"]["holidays"] == days


async def test_a_rule_of_a_release_that_knew_no_holidays_names_none(
    api: ApiClient, db: Database
) -> None:
    operator = await platform(api)
    made = await operator.post(PATH, json=RULE)
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE settlement_rule SET terms = terms - 'holidays'"))
    read = await operator.get(made.headers["location"])
    assert read.json()["terms"]["holidays"] == []


async def test_a_second_rule_of_a_scope_is_its_next_version(api: ApiClient) -> None:
    operator = await platform(api)

    made = await asyncio.gather(*(operator.post(PATH, json=RULE) for _ in range(8)))

    assert sorted(it.json()["version"] for it in made) == list(range(1, 9))


async def test_a_repeated_call_makes_one_version(api: ApiClient) -> None:
    operator = await platform(api)
    once = {"Idempotency-Key": "rule-1"}

    first = await operator.post(PATH, json=RULE, headers=once)
    again = await operator.post(PATH, json=RULE, headers=once)

    assert first.json() == again.json()
    assert len((await operator.get(PATH)).json()["items"]) == 1


async def test_a_merchant_makes_no_rules(api: ApiClient) -> None:
    merchant = await api("ledger:read", "ledger:write")

    refused = await merchant.post(PATH, json=RULE)

    assert (refused.status_code, refused.json()["scope"]) == (403, "platform:write")


async def test_a_merchant_sees_no_rules_of_others(api: ApiClient) -> None:
    operator = await platform(api)
    made = (await operator.post(PATH, json=RULE)).json()
    everybodys = (await operator.post(PATH, json={**RULE, "merchant_id": None})).json()
    other = await api("ledger:read", merchant_id=OTHER_MERCHANT)

    assert (await other.get(f"{PATH}/{made['id']}")).status_code == 404
    assert (await other.get(PATH)).json()["items"] == [everybodys]
    assert len((await operator.get(PATH)).json()["items"]) == 2


async def test_a_test_shows_how_the_share_comes_about(api: ApiClient) -> None:
    await (await platform(api)).post(PATH, json=RULE)
    merchant = await api("ledger:read")

    tried = (await merchant.post(f"{PATH}/test", json={**SALE, "channel_fee": 100})).json()

    assert (tried["gross"], tried["channel_fee"], tried["platform"]) == (4_000, 100, 200)
    assert tried["merchant"] == 3_700
    assert tried["steps"] == [{"what": "500 basis points of 4000", "amount": 200}]


async def test_a_test_without_a_rule_says_so(api: ApiClient) -> None:
    tried = await (await api("ledger:read")).post(f"{PATH}/test", json=SALE)

    assert (tried.status_code, tried.json()["code"]) == (404, "no_settlement_rule")


async def test_a_merchant_tries_out_nothing_for_another(api: ApiClient) -> None:
    merchant = await api("ledger:read")

    tried = await merchant.post(f"{PATH}/test", json={**SALE, "merchant_id": str(OTHER_MERCHANT)})

    assert (tried.status_code, tried.json()["code"]) == (404, "books_not_found")


async def test_bad_terms_are_refused(api: ApiClient) -> None:
    operator = await platform(api)
    bad = [
        {"tiers": [{"above": 9, "basis_points": 1}, {"above": 9, "basis_points": 2}]},
        {"share_min": 5, "share_max": 4},
        {"time_zone": "Mars/Olympus"},
        {"basis_points": 10_001},
        {"payout_days": "business", "holidays": ["2026-10-02", "2026-10-01"]},
        {"payout_days": "business", "holidays": ["2026-10-01", "2026-10-01"]},
        {"payout_days": "business", "holidays": ["2026-02-30"]},
        {"payout_days": "business", "holidays": [20261001]},
        {"payout_days": "business", "holidays": ["1790812800"]},
        {"payout_days": "business", "holidays": ["2026-10-01T00:00:00Z"]},
        {"payout_days": "business", "holidays": [f"2{it:03}-10-01" for it in range(401)]},
        {"payout_days": "calendar", "holidays": ["2026-10-01"]},
    ]

    answers = [await operator.post(PATH, json={**RULE, "terms": terms}) for terms in bad]
    without = {**RULE, "merchant_id": None, "channel_id": str(CHANNEL)}
    answers.append(await operator.post(PATH, json=without))

    assert [answer.status_code for answer in answers] == [422] * (len(bad) + 1)
