"""Orders that arrive paid while risk answers, says nothing, or is not there."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service, create_app
from kit.tenancy import EVERY_MERCHANT
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from order.app import create_service
from order.settings import Settings
from tests.order.conftest import make_merchants
from tests.order.placing.test_routes import a_body, a_product, place
from tests.order.vaults import ScriptedVault

ASSESSMENT = str(new_id())


class ScriptedRisk(httpx.AsyncBaseTransport):
    """Answers what `answer` says; None: it is silent."""

    def __init__(self) -> None:
        self.answer: str | None = ASSESSMENT
        self.status = 200
        self.asked: list[OrderPlaced] = []
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/order-assessments"
        items = orjson.loads(request.content)["items"]
        self.asked += [OrderPlaced.FromString(b64decode(item)) for item in items]
        self.was_asked.set()
        await self.may_answer.wait()
        if self.answer is None:
            raise httpx.ReadTimeout("silent", request=request)
        return httpx.Response(self.status, json={"items": [self.answer or None] * len(items)})


@pytest.fixture
def risk() -> ScriptedRisk:
    return ScriptedRisk()


@pytest.fixture
async def service(
    settings: Settings, empty: None, vault: ScriptedVault, risk: ScriptedRisk
) -> AsyncIterator[Service]:
    asking = settings.model_copy(update={"risk_url": "http://risk"})
    made = create_service(asking, vault_transport=vault, risk_transport=risk)
    made.db.acts_for_outside = EVERY_MERCHANT
    await make_merchants(made.db)
    yield made
    for close in made.closing:
        await close()
    await made.db.close()


@pytest.fixture
def app(service: Service) -> FastAPI:
    return create_app(service)


@pytest.fixture(autouse=True)
async def products(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/products", json=a_product("GAME-100", 1990, "CNY"))
    assert answer.status_code == 201, answer.text


def paid_body() -> dict[str, Any]:
    paid = {
        "provider": "shop",
        "provider_reference": f"pay-{new_id()}",
        "amount": {"amount": 1990, "currency": "CNY"},
    }
    return a_body(paid=paid)


async def published(db: Database) -> Sequence[Any]:
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT type, payload FROM event_log ORDER BY id"))
        return [(row.type.rpartition(".")[2], row.payload) for row in rows]


async def kinds_of(api: httpx.AsyncClient, order_id: str) -> list[str]:
    timeline = (await api.get(f"/v1/orders/{order_id}/timeline")).json()
    return [entry["kind"] for entry in timeline["items"]]


async def test_an_order_that_risk_allows_goes_to_fulfilment_in_the_same_transaction(
    api: httpx.AsyncClient, db: Database, risk: ScriptedRisk
) -> None:
    answer = await place(api, paid_body())

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert order["status"] == "fulfilling"
    assert (await api.get(f"/v1/orders/{order['id']}")).json()["status"] == "fulfilling"
    told = await published(db)
    assert [name for name, _ in told] == ["OrderPlaced", "OrderPaid", "FulfillmentRequested"]
    placed = OrderPlaced.FromString(told[0][1])
    assert placed.assessment_id == ASSESSMENT
    [asked] = risk.asked
    placed.ClearField("assessment_id")
    assert asked == placed
    kinds = await kinds_of(api, order["id"])
    assert kinds == ["priced", "reserved", "placed", "assessed", "paid", "fulfillment_requested"]


@pytest.mark.parametrize("answer", [None, ""])
async def test_an_order_without_an_answer_waits_for_risks_event(
    api: httpx.AsyncClient, db: Database, risk: ScriptedRisk, answer: str | None
) -> None:
    risk.answer = answer

    order = (await place(api, paid_body())).json()

    assert order["status"] == "paid"
    told = await published(db)
    assert [name for name, _ in told] == ["OrderPlaced", "OrderPaid"]
    placed = OrderPlaced.FromString(told[0][1])
    assert (placed.assessment_id, placed.is_paid) == ("", True)


@pytest.mark.parametrize("status", [403, 500])
async def test_a_risk_that_fails_keeps_only_the_first_order_waiting(
    api: httpx.AsyncClient, risk: ScriptedRisk, status: int
) -> None:
    risk.status = status

    orders = [(await place(api, paid_body())).json() for _ in range(3)]

    assert [order["status"] for order in orders] == ["paid"] * 3
    assert len(risk.asked) == 1


async def test_orders_that_waited_for_a_call_that_fails_wait_for_no_other(
    api: httpx.AsyncClient, risk: ScriptedRisk
) -> None:
    risk.answer = None
    risk.may_answer.clear()
    first = asyncio.create_task(place(api, paid_body()))
    await risk.was_asked.wait()
    second = asyncio.create_task(place(api, paid_body()))
    await asyncio.sleep(
        0.2
    )  # it waits for the first one's call; if it comes later, it finds a rest
    risk.may_answer.set()

    orders = [(await each).json() for each in (first, second)]

    assert [order["status"] for order in orders] == ["paid"] * 2
    assert len(risk.asked) == 1


async def test_an_order_that_is_not_paid_yet_is_not_asked_about(
    api: httpx.AsyncClient, risk: ScriptedRisk
) -> None:
    answer = await place(api, a_body())

    assert answer.json()["status"] == "pending_payment"
    assert risk.asked == []


async def test_an_order_whose_reference_is_taken_is_not_asked_about_again(
    api: httpx.AsyncClient, risk: ScriptedRisk
) -> None:
    body = paid_body()
    assert (await place(api, body)).status_code == 201

    again = await place(api, body)

    assert again.status_code == 409
    assert len(risk.asked) == 1
