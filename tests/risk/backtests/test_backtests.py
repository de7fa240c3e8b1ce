"""A rule on past orders: the numbers of a brute-force run, as a job, whatever happens to it."""

import os
import sys
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.ids import new_id
from kit.service import Service
from tests.risk.backtests.past import BEGIN, CONDITION, DAYS, a_past, brute_force, write
from tests.risk.conftest import Assess
from tests.risk.factories import NOON, OTHER_MERCHANT, an_order
from tests.stack.api import ApiClient

ORDERS = int(os.environ.get("LOCKSTOCK_BACKTEST_ORDERS", "3000"))
PERIOD = {"from": "2026-10-05T00:00:00Z", "to": "2026-10-31T00:00:00Z"}


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


async def run(service: Service) -> None:
    while await service.state["backtests"].run_next(service.db):
        pass


async def asked(client: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    body = {"condition": CONDITION, **PERIOD, **given}
    answer = await client.post("/v1/backtests", json=body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def read(client: httpx.AsyncClient, backtest: dict[str, Any]) -> dict[str, Any]:
    return dict((await client.get(f"/v1/backtests/{backtest['id']}")).json())


@pytest.mark.timeout(900)
async def test_its_numbers_are_those_of_a_brute_force_run(
    service: Service, client: httpx.AsyncClient
) -> None:
    past = a_past(ORDERS)
    await write(service.db, past)
    backtest = await asked(client)
    assert (backtest["status"], backtest["report"]) == ("queued", None)

    await run(service)

    done = await read(client, backtest)
    report = done["report"]
    sys.stdout.write(f"\n{done['total']} purchases in {report['seconds']} s\n")
    since, until = BEGIN + timedelta(days=4), BEGIN + timedelta(days=DAYS)
    expected = brute_force(past, since, until)
    assert {name: report[name] for name in expected} == expected
    assert expected["bad"] > 0 < expected["false_alarms"]
    assert done["status"] == "completed"
    assert done["done"] == done["total"] > expected["judged"]
    assert report["undecided"] == report["fired"] - report["bad"] - report["false_alarms"]
    sample = report["bad_samples"][0]
    assert set(sample["values"]) == {
        "purchases_by_ip_1h",
        "amount_by_customer_7d",
        "devices_by_ip_1d",
        "amount_minor",
    }


async def test_a_rule_is_tried_as_it_is_or_as_a_draft_of_it(
    service: Service, client: httpx.AsyncClient
) -> None:
    await write(service.db, a_past(50))
    text_ = {"name": "Big", "condition": "amount_minor > 9900", "action": "decline"}
    rule = (await client.post("/v1/rules", json=text_)).json()
    url = f"/v1/rules/{rule['id']}/backtest"

    own = (await client.post(url, json=PERIOD)).json()
    draft = (await client.post(url, json={**PERIOD, "condition": "true", "action": "allow"})).json()
    await run(service)

    assert (own["condition"], own["rule_version"], own["action"]) == (
        "amount_minor > 9900",
        1,
        "decline",
    )
    assert (draft["rule_id"], draft["rule_version"]) == (rule["id"], None)
    everything = (await read(client, draft))["report"]
    assert (everything["fired"], everything["stopped"]) == (everything["judged"], 0)
    few = (await read(client, own))["report"]
    assert 0 < few["stopped"] == few["fired"] < everything["fired"]
    listed = (await client.get("/v1/backtests")).json()["items"]
    assert [it["id"] for it in listed] == [draft["id"], own["id"]]


async def test_it_says_what_live_decisions_counted(
    service: Service, client: httpx.AsyncClient, assess: Assess
) -> None:
    """The same numbers as the live rule, for real assessments of late and reordered orders."""
    minutes = [0, 50, 20, 59, 61, 5, 119, 60, 58, 3, 90]
    await assess([an_order(at=NOON + timedelta(minutes=it)) for it in minutes[:6]])
    for it in minutes[6:]:
        await assess([an_order(at=NOON + timedelta(minutes=it))])
    items = (await client.get("/v1/assessments?limit=50")).json()["items"]
    live = sum(it["facts"]["purchases_by_ip_1h"] > 5 for it in items)
    period = {"from": NOON.isoformat(), "to": (NOON + timedelta(days=1)).isoformat()}

    backtest = await asked(client, condition="purchases_by_ip_1h > 5", **period)
    await run(service)

    report = (await read(client, backtest))["report"]
    assert (report["judged"], report["fired"]) == (len(minutes), live)
    assert report["already_stopped"] == live > 0


async def test_a_fact_nobody_knows_any_more_is_named_with_its_orders(
    service: Service, client: httpx.AsyncClient
) -> None:
    await write(service.db, a_past(50))

    backtest = await asked(client, condition="unpaid_by_ip_1d > 3 || line_count > 5")
    await run(service)

    report = (await read(client, backtest))["report"]
    assert report["unknown_facts"] == {
        "unpaid_by_ip_1d": report["judged"],
        "line_count": report["judged"],
    }
    assert report["fired"] == 0


async def test_one_whose_runner_died_begins_anew_and_a_live_ones_is_left_alone(
    service: Service, client: httpx.AsyncClient
) -> None:
    await write(service.db, a_past(50))
    backtest = await asked(client)
    async with service.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE backtest SET status = 'running', done = 40, "
                "leased_until = clock_timestamp() + interval '1 minute'"
            )
        )
    assert not await service.state["backtests"].run_next(service.db)
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE backtest SET leased_until = clock_timestamp()"))

    await run(service)

    assert (await read(client, backtest))["status"] == "completed"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"condition": "amount_minor >"}, "condition_refused"),
        ({"from": PERIOD["to"]}, "bad_period"),
        ({"from": "2020-01-01T00:00:00Z"}, "bad_period"),
    ],
)
async def test_what_cannot_be_tried_is_refused(
    client: httpx.AsyncClient, given: dict[str, Any], code: str
) -> None:
    body = {"condition": "true", **PERIOD, **given}

    refused = await client.post("/v1/backtests", json=body)

    assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_a_merchant_has_three_under_way_and_sees_its_own(
    client: httpx.AsyncClient, api: ApiClient, service: Service
) -> None:
    first, *_ = [await asked(client) for _ in range(3)]
    stranger = await api("risk:read", "risk:write", merchant_id=OTHER_MERCHANT)

    fourth = await client.post("/v1/backtests", json={"condition": "true"})

    assert (fourth.status_code, fourth.json()["code"]) == (409, "too_many_backtests")
    hidden = await stranger.get(f"/v1/backtests/{first['id']}")
    assert hidden.json()["code"] == "backtest_not_found"
    assert (await stranger.post(f"/v1/rules/{new_id()}/backtest", json={})).status_code == 404
    await run(service)
    assert (await client.post("/v1/backtests", json={"condition": "true"})).status_code == 202
