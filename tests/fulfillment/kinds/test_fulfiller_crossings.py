"""People and a merchant's own system at the same line: one of them decides, and each in time."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from fulfillment.settings import Settings
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed
from tests.fulfillment.conftest import Accept, ApiClient
from tests.fulfillment.kinds.test_fulfillers import (
    DONE,
    LATER,
    SCOPES,
    answer_with,
    order,
    said,
    set_up,
    told,
    turn,
)
from tests.fulfillment.receiver import Receiver, running_receiver
from tests.fulfillment.webhooks import execute, rows, until

OVER = "UPDATE fulfiller_call SET ends_at = clock_timestamp()"


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"supplier_private_addresses": True, "supplier_pause_seconds_max": 0.05}
    )


@pytest.fixture
async def shop(api: ApiClient) -> httpx.AsyncClient:
    return await api(*SCOPES)


async def open_task(shop: httpx.AsyncClient) -> str:
    [task] = (await shop.get("/v1/manual-tasks?state=open")).json()["items"]
    return f"/v1/manual-tasks/{task['id']}"


async def test_what_people_have_is_not_asked_of_a_system_that_is_set_up_later(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await order(accept, service)
        task = await open_task(shop)
        await set_up(shop, receiver)
        answer_with(receiver, said(DONE))
        await turn(service)
        assert receiver.headers == []
        await shop.post(f"{task}/complete", json={"result": "By hand"})
        await turn(service)

    [delivered] = await told(service)
    assert isinstance(delivered, LineDelivered)
    assert delivered.receipt == "By hand"


async def test_a_system_that_is_switched_off_leaves_an_undecided_line_to_people_in_time(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        made = await set_up(shop, receiver)
        answer_with(receiver, LATER)
        await order(accept, service)
        await shop.patch(f"/v1/fulfillers/{made['id']}", json={"is_enabled": False})
        await turn(service)
        assert (await shop.get("/v1/manual-tasks?state=open")).json()["items"] == []
        await execute(service, OVER)
        await turn(service)

    await open_task(shop)
    assert len(receiver.headers) == 1


async def under_way_at_the_deadline(
    service: Service, accept: Accept, shop: httpx.AsyncClient, receiver: Receiver
) -> None:
    """A call that its time is over for, and that people have."""
    service.state["fulfiller_calls"]._patience = timedelta(seconds=0.05)
    await set_up(shop, receiver, timeout_seconds=20)
    receiver.opens = asyncio.Event()
    answer_with(receiver, said(DONE))
    await order(accept, service)
    await until(lambda: receiver.at_once == 1)
    await execute(service, OVER)
    await turn(service)


async def until_heard(service: Service, receiver: Receiver) -> None:
    assert receiver.opens is not None
    receiver.opens.set()
    await asyncio.gather(*service.state["fulfiller_calls"]._late)
    await turn(service)


async def test_a_call_that_ends_after_a_person_has_decided_changes_nothing(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await under_way_at_the_deadline(service, accept, shop, receiver)
        task = await open_task(shop)
        assert (await shop.post(f"{task}/fail", json={"reason": "no"})).status_code == 200
        await until_heard(service, receiver)

    [failed] = await told(service)
    assert isinstance(failed, LineFailed)
    assert failed.reason == "refused_by_hand"


async def test_a_call_that_ends_after_people_were_asked_takes_the_line_from_them(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await under_way_at_the_deadline(service, accept, shop, receiver)
        await until_heard(service, receiver)

    [delivered] = await told(service)
    assert isinstance(delivered, LineDelivered)
    [task] = await rows(service, "manual_task")
    assert task.state == "withdrawn"
