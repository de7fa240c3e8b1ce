"""A top-up of which no supplier can tell what became: a person decides it, once."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from fulfillment.app import create_service
from fulfillment.settings import Settings
from fulfillment.suppliers.domain import Times
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed, LineUnknown
from tests.fulfillment.conftest import ApiClient, dispatch, published
from tests.fulfillment.top_ups import (
    COST_MAX,
    accept,
    an_account,
    an_order,
    count,
    purchases,
    until_settled,
    with_supplier,
)
from tests.suppliers.simulator import Behaviour, Simulator, running_simulator

TASKS = "/v1/manual-tasks"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
async def buying(service: Service, settings: Settings) -> AsyncIterator[Service]:
    quick = {"supplier_private_addresses": True, "supplier_pause_seconds_max": 0.1}
    made = create_service(settings.model_copy(update=quick))
    yield made
    for close in reversed(made.closing):
        await close()
    await made.db.close()


@pytest.fixture
async def operator(api: ApiClient) -> httpx.AsyncClient:
    return await api("deliveries:read", "deliveries:write")


@pytest.fixture
async def undecided(buying: Service, simulator: Simulator, operator: httpx.AsyncClient) -> Any:
    """The task of a top-up that the supplier answers rubbish about, past its patience."""
    account = an_account()
    simulator.behave(account, Behaviour.WRONG_CURRENCY)
    times = Times(timeout_seconds=5, visibility_delay_seconds=0.1, unknown_ttl_seconds=0)
    await with_supplier(buying, simulator, times=times)
    await accept(buying, an_order(account))
    for _ in range(50):
        await dispatch(buying)
        if await count(buying, "manual_task", "state = 'open'"):
            [task] = (await operator.get(f"{TASKS}?state=open")).json()["items"]
            return task
        async with buying.db.transaction() as tx:
            await tx.execute(text("UPDATE task SET due_at = clock_timestamp(), lease_id = NULL"))
    raise AssertionError(await purchases(buying))


async def test_it_waits_for_a_person_and_the_buyer_is_told_that_nobody_knows(
    buying: Service, undecided: Any
) -> None:
    [purchase] = await purchases(buying)

    assert purchase.state == "manual"
    assert undecided["sku"] == "PHONE-50"
    assert {type(message) for message in await published(buying)} == {LineUnknown}


async def test_done_after_all_it_is_delivered_at_what_it_cost(
    buying: Service, operator: httpx.AsyncClient, undecided: Any
) -> None:
    body = {"result": "seen on the statement", "cost": {"amount": COST_MAX - 7, "currency": "CNY"}}
    answer = await operator.post(f"{TASKS}/{undecided['id']}/complete", json=body)
    assert answer.status_code == 200, answer.text

    told = await until_settled(buying, seconds=30)

    assert isinstance(told[-1], LineDelivered)
    assert [it.unit_cost.amount_minor for it in told[-1].costs] == [COST_MAX - 7]
    again = await operator.post(f"{TASKS}/{undecided['id']}/fail", json={"reason": "no"})
    assert (again.status_code, again.json()["code"]) == (409, "manual_task_closed")


async def test_definitely_not_done_it_fails_and_its_money_can_go_back(
    buying: Service, operator: httpx.AsyncClient, undecided: Any
) -> None:
    path = f"{TASKS}/{undecided['id']}/fail"
    answer = await operator.post(path, json={"reason": "not on the statement"})
    assert answer.status_code == 200, answer.text

    told = await until_settled(buying, seconds=30)

    assert isinstance(told[-1], LineFailed)
    assert sum(isinstance(message, LineFailed) for message in told) == 1


async def test_a_cost_in_another_currency_than_agreed_is_refused(
    operator: httpx.AsyncClient, undecided: Any
) -> None:
    body = {"result": "done", "cost": {"amount": 1, "currency": "USD"}}

    answer = await operator.post(f"{TASKS}/{undecided['id']}/complete", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "cost_currency_wrong")
