"""A bank takes money back: noted on the order, told to risk, nothing else."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import text

from kit.db import Database
from lockstock.order.v1.chargeback_events_pb2 import ChargebackReceived
from order.orders.domain import OrderStatus
from tests.order.factories import fulfilling, kinds_of, placed, state_of

BODY: dict[str, Any] = {
    "reference": "dp_1",
    "amount": {"amount": 1990, "currency": "CNY"},
    "reason": "fraudulent",
}


async def told(db: Database) -> list[ChargebackReceived]:
    async with db.read() as tx:
        query = text("SELECT payload FROM event_log WHERE type LIKE '%ChargebackReceived'")
        return [ChargebackReceived.FromString(row.payload) for row in await tx.execute(query)]


async def test_it_is_on_the_timeline_and_told_and_the_order_stays(
    api: httpx.AsyncClient, db: Database
) -> None:
    order = await fulfilling(db)

    answer = await api.post(f"/v1/orders/{order.id}/chargebacks", json=BODY)

    assert (answer.status_code, answer.json()["order_status"]) == (201, "fulfilling")
    [event] = await told(db)
    assert (event.order_id, event.reference, event.amount.amount_minor) == (
        str(order.id),
        "dp_1",
        1990,
    )
    assert (await kinds_of(db, order))[-1] == "chargeback"
    assert (await state_of(db, order)).status is OrderStatus.FULFILLING


async def test_of_an_unpaid_order_or_somebody_elses_nothing_is_taken_back(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient, db: Database
) -> None:
    unpaid, foreign = await placed(db), await fulfilling(db)

    refused = await api.post(f"/v1/orders/{unpaid.id}/chargebacks", json=BODY)
    hidden = await other_api.post(f"/v1/orders/{foreign.id}/chargebacks", json=BODY)

    assert (refused.status_code, refused.json()["code"]) == (409, "order_not_paid")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "order_not_found")
    assert await told(db) == []


async def test_the_same_chargeback_counts_once(api: httpx.AsyncClient, db: Database) -> None:
    order = await fulfilling(db)
    path = f"/v1/orders/{order.id}/chargebacks"

    answers = await asyncio.gather(*(api.post(path, json=BODY) for _ in range(5)))
    another = await api.post(path, json={**BODY, "reference": "dp_2"})

    assert {it.status_code for it in (*answers, another)} == {201}
    assert sorted(event.reference for event in await told(db)) == ["dp_1", "dp_2"]
    assert (await kinds_of(db, order)).count("chargeback") == 2
