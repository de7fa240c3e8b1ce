import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    CHANNEL,
    NOON,
    PRODUCT,
    a_completion,
    a_cost,
    a_line,
    a_partial_completion,
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


async def test_margin_is_revenue_less_the_cost_of_the_lots(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lot, other_product = new_id(), new_id()
    await deliver(
        a_completion(
            new_id(),
            a_line(cny(3000), a_cost(lot, cny(1000), 2)),
            a_line(cny(500), a_cost(lot, cny(400)), sku="QQ-10", product_id=other_product),
        )
    )
    await deliver(
        a_partial_completion(
            new_id(),
            cny(9),
            a_line(cny(1000), a_cost(lot, cny(1000))),
            a_line(cny(9), delivered=False),
        )
    )

    async def margin(group: str) -> list[tuple[str, int, int, int]]:
        answer = await client.get("/v1/reports/margin", params={"group_by": group})
        return [
            (it["group"], it["revenue"], it["cost"], it["margin"]) for it in answer.json()["items"]
        ]

    assert await margin("sku") == [("STEAM-50", 4000, 3000, 1000), ("QQ-10", 500, 400, 100)]
    assert await margin("product") == [
        (str(PRODUCT), 4000, 3000, 1000),
        (str(other_product), 500, 400, 100),
    ]
    assert await margin("channel") == [(str(CHANNEL), 4500, 3400, 1100)]


async def test_margin_covers_the_asked_time_from_its_start_to_before_its_end(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(a_completion(new_id(), a_line(cny(3000), a_cost(new_id(), cny(1000)))))

    async def found(start: timedelta, end: timedelta) -> int:
        params = {"from": (NOON + start).isoformat(), "to": (NOON + end).isoformat()}
        return len((await client.get("/v1/reports/margin", params=params)).json()["items"])

    assert await found(timedelta(0), timedelta(seconds=1)) == 1
    assert await found(timedelta(seconds=-1), timedelta(0)) == 0


async def test_a_lot_shows_what_is_left_of_its_value(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lot = new_id()
    await deliver(an_import(lot_id=lot, total=cny(10_000)))
    await deliver(a_completion(new_id(), a_line(cny(300), a_cost(lot, cny(100), 2))))

    assert (await client.get(f"/v1/reports/lots/{lot}")).json()["items"] == [
        {"currency": "CNY", "received": 10_000, "sold": 200, "value": 9_800}
    ]


async def test_an_unknown_group_is_refused(client: httpx.AsyncClient) -> None:
    refused = await client.get("/v1/reports/margin", params={"group_by": "moon"})

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "query/group_by"
