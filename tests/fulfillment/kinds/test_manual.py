"""Lines that people deliver: they wait, somebody decides once, the buyer's line follows."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed
from lockstock.order.v1.order_events_pb2 import ManualTerms
from tests.fulfillment.conftest import Accept, ApiClient, dispatch, published
from tests.fulfillment.factories import OTHER_MERCHANT, a_line, a_request

PHONE = "13800138000"


@pytest.fixture
async def waiting(service: Service, accept: Accept) -> None:
    """An order whose line waits at the desk."""
    line = a_line(
        kind="manual",
        pool_id="",
        sku="DESK",
        inputs={"phone": PHONE},
        manual=ManualTerms(queue="desk"),
    )
    await accept(a_request(lines=[line], reservation_id=""))
    await dispatch(service)


@pytest.fixture
async def operator(api: ApiClient) -> httpx.AsyncClient:
    return await api("deliveries:read", "deliveries:write")


async def the_task(operator: httpx.AsyncClient) -> dict[str, Any]:
    [task] = (await operator.get("/v1/manual-tasks?state=open&queue=desk")).json()["items"]
    return dict(task)


@pytest.mark.usefixtures("waiting")
async def test_a_line_waits_in_its_queue_with_its_inputs_masked(
    service: Service, operator: httpx.AsyncClient
) -> None:
    task = await the_task(operator)

    assert (task["sku"], task["queue"], task["state"]) == ("DESK", "desk", "open")
    assert task["inputs"] == {"phone": "138******00"}
    assert await published(service) == []
    assert (await operator.get("/v1/manual-tasks?queue=other")).json()["items"] == []


@pytest.mark.usefixtures("waiting")
async def test_reading_one_shows_what_was_entered_and_is_noted(
    db: Database, operator: httpx.AsyncClient, api: ApiClient
) -> None:
    task_id = (await the_task(operator))["id"]

    for _ in range(2):
        whole = await operator.get(f"/v1/manual-tasks/{task_id}")

    assert whole.json()["inputs"] == {"phone": PHONE}
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT view_no, viewer FROM manual_task_view ORDER BY 1"))
        assert [row.view_no for row in rows] == [1, 2]
    reader = await api("deliveries:read")
    assert (await reader.get(f"/v1/manual-tasks/{task_id}")).status_code == 403


@pytest.mark.usefixtures("waiting")
async def test_completing_delivers_the_line_with_result_and_cost_and_forgets_the_inputs(
    service: Service, operator: httpx.AsyncClient
) -> None:
    task_id = (await the_task(operator))["id"]
    body = {"result": "Valid until May", "cost": {"amount": 300, "currency": "CNY"}}

    answer = await operator.post(f"/v1/manual-tasks/{task_id}/complete", json=body)
    await dispatch(service)

    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "completed"
    [delivered] = await published(service)
    assert isinstance(delivered, LineDelivered)
    assert delivered.receipt == "Valid until May"
    assert [(it.supplier, it.unit_cost.amount_minor) for it in delivered.costs] == [
        ("by-hand:desk", 300)
    ]
    assert (await operator.get(f"/v1/manual-tasks/{task_id}")).json()["inputs"] == {}


@pytest.mark.usefixtures("waiting")
async def test_failing_fails_the_line(service: Service, operator: httpx.AsyncClient) -> None:
    task_id = (await the_task(operator))["id"]

    await operator.post(f"/v1/manual-tasks/{task_id}/fail", json={"reason": "no such account"})
    await dispatch(service)

    [failed] = await published(service)
    assert isinstance(failed, LineFailed)
    assert failed.reason == "refused_by_hand"


@pytest.mark.usefixtures("waiting")
async def test_of_many_decisions_at_once_one_counts(
    service: Service, operator: httpx.AsyncClient
) -> None:
    path = f"/v1/manual-tasks/{(await the_task(operator))['id']}"
    calls = [
        operator.post(f"{path}/complete", json={"result": "done"})
        if number % 2
        else operator.post(f"{path}/fail", json={"reason": "no"})
        for number in range(10)
    ]

    answers = await asyncio.gather(*calls)
    await dispatch(service)

    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 9]
    assert {it.json()["code"] for it in answers if it.status_code == 409} == {"manual_task_closed"}
    assert len(await published(service)) == 1


@pytest.mark.usefixtures("waiting")
async def test_another_merchants_queue_is_empty(
    operator: httpx.AsyncClient, api: ApiClient
) -> None:
    task_id = (await the_task(operator))["id"]
    other = await api("deliveries:read", "deliveries:write", merchant_id=OTHER_MERCHANT)

    assert (await other.get("/v1/manual-tasks")).json()["items"] == []
    for answer in (
        await other.get(f"/v1/manual-tasks/{task_id}"),
        await other.post(f"/v1/manual-tasks/{task_id}/complete", json={"result": "mine"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "manual_task_not_found")
