import asyncio
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    a_completion,
    a_cost,
    a_line,
    a_payment,
    an_import,
    cny,
    usd,
)
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read")


async def test_the_trial_balance_shows_each_account_and_balances(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(an_import(total=cny(5000)), an_import(total=usd(70)))

    balance = (await client.get("/v1/trial-balance")).json()

    assert balance["balanced"] is True
    assert balance["totals"] == [
        {"currency": "CNY", "debit": 5000, "credit": 5000, "balanced": True},
        {"currency": "USD", "debit": 70, "credit": 70, "balanced": True},
    ]
    assert [(it["account"], it["currency"], it["balance"]) for it in balance["items"]] == [
        ("inventory", "CNY", 5000),
        ("supplier-payable:Kinguin", "CNY", -5000),
        ("inventory", "USD", 70),
        ("supplier-payable:Kinguin", "USD", -70),
    ]


async def test_the_trial_balance_of_nothing_is_balanced(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/trial-balance")).json() == {
        "balanced": True,
        "totals": [],
        "items": [],
    }


async def test_the_trial_balance_is_balanced_at_every_moment(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    async def post() -> None:
        for _ in range(10):
            await deliver(*(a_payment(new_id(), cny(1)) for _ in range(20)))

    async def read() -> list[dict[str, Any]]:
        return [(await client.get("/v1/trial-balance")).json() for _ in range(20)]

    *_, balances = await asyncio.gather(post(), post(), post(), read())

    assert all(balance["balanced"] for balance in balances)
    (total,) = (await client.get("/v1/trial-balance")).json()["totals"]
    assert total["debit"] == 600


async def test_a_lot_shows_what_is_left_of_its_value(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lot = new_id()
    await deliver(an_import(lot_id=lot, total=cny(10_000)))
    await deliver(a_completion(new_id(), a_line(cny(300), a_cost(lot, cny(100), 2))))

    assert (await client.get(f"/v1/reports/lots/{lot}")).json()["items"] == [
        {"currency": "CNY", "received": 10_000, "sold": 200, "value": 9_800}
    ]


async def test_the_catalogue_defines_every_figure(client: httpx.AsyncClient) -> None:
    catalogue = (await client.get("/v1/reports")).json()

    assert {it["name"] for it in catalogue["reports"]} >= {"sales", "cohorts", "baskets"}
    for report in catalogue["reports"]:
        answer = await client.get(report["path"])
        assert answer.status_code == 200, report
        for name, definition in answer.json()["definitions"].items():
            assert catalogue["figures"][name] == definition
