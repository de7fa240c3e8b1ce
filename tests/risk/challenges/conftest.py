"""Risk beside the real fulfillment service, which mails its codes to a real SMTP server."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from kit.ids import new_id
from kit.messaging.events import Event
from kit.messaging.outbox import events_of
from kit.service import Service, create_app
from lockstock.order.v1.challenge_events_pb2 import ChallengeRequested
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from lockstock.risk.v1.assessment_events_pb2 import OrderAssessed
from risk.app import create_service
from risk.settings import Settings
from tests.conftest import ServiceDatabase
from tests.fulfillment.conftest import settings_with
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.real_vault import SECRET
from tests.fulfillment.tellings import running, send, smtp_account, telling_with
from tests.risk.factories import MERCHANT, an_order
from tests.stack.api import ApiClient, api_clients
from tests.stack.service_databases import ServiceDatabases

EMAIL = "buyer@shop.example"


class Line(httpx.AsyncBaseTransport):
    """The way from risk to fulfillment, which can be cut."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.is_cut = False
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.is_cut:
            raise httpx.ConnectError("cut")
        return await self._inner.handle_async_request(request)


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as box:
        yield box


@pytest.fixture
async def fulfillment(service_database: ServiceDatabase, box: Mailbox) -> AsyncIterator[Service]:
    settings = settings_with(await service_database("fulfillment"))
    given = telling_with(settings, [smtp_account(box)], one_time_code_again_seconds=0.0)
    async with running(given) as service:
        yield service


@pytest.fixture
def line(fulfillment: Service) -> Line:
    return Line(httpx.ASGITransport(app=create_app(fulfillment)))


@pytest.fixture
async def service(
    service_databases: ServiceDatabases, risk_database: str, line: Line
) -> AsyncIterator[Service]:
    settings = Settings(
        database_url=risk_database,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret=SECRET,
        database_pool_size=24,
        challenge_tries_max=6,
        challenge_resends_max=2,
    )
    service = create_service(settings, fulfillment_transport=line)
    yield service
    for close in service.closing:
        await close()
    await service.db.close()
    await service_databases.empty(risk_database)


@pytest.fixture
async def api(service: Service) -> AsyncIterator[ApiClient]:
    async with api_clients(service, MERCHANT) as clients:
        yield clients


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    """The shop, which also writes the rule: a first purchase needs a code."""
    client = await api("risk:read", "risk:write", "orders:read", "orders:write", "reviews:write")
    rule = {"name": "First purchase", "condition": "first_purchase", "action": "challenge"}
    assert (await client.post("/v1/rules", json=rule)).status_code == 201
    return client


def event_of(message: Message, order_id: str) -> Event[Any]:
    return Event(
        id=new_id(),
        type=message.DESCRIPTOR.full_name,
        topic="any",
        key=order_id,
        version=1,
        time=an_order().time,
        merchant_id=str(MERCHANT),
        traceparent=None,
        request_id=None,
        message=message,
    )


async def hear(service: Service, message: Message, order_id: str) -> list[Message]:
    """All the service's handlers of the message; what each published."""
    told: list[Message] = []
    for handler in service.handlers:
        if handler.message_class is type(message):
            async with service.db.transaction() as tx:
                await handler.fn(tx, [event_of(message, order_id)])
                told += events_of(tx)
    return told


@dataclass(slots=True)
class Buying:
    """An order that was challenged, its code on its way; order's part is played here."""

    service: Service
    fulfillment: Service
    box: Mailbox
    order_id: str
    assessed: OrderAssessed

    @property
    def url(self) -> str:
        return f"/v1/challenges/{self.assessed.challenge_id}"

    async def send_code(self, email: str = EMAIL) -> None:
        message = ChallengeRequested(
            order_id=self.order_id,
            merchant_id=str(MERCHANT),
            reference="shop-1",
            challenge_id=self.assessed.challenge_id,
            email=email,
        )
        for told in await hear(self.fulfillment, message, self.order_id):
            await hear(self.service, told, self.order_id)

    async def code(self) -> str:
        await send(self.fulfillment)
        [code] = re.findall(
            r"^([0-9]{6})$", self.box.mails[-1].text.replace("\r", ""), re.MULTILINE
        )
        return str(code)


@pytest.fixture
async def buying(
    client: httpx.AsyncClient, service: Service, fulfillment: Service, box: Mailbox
) -> Buying:
    [assessed] = await place(service, contact_hash="c" * 64)
    made = Buying(service, fulfillment, box, assessed.order_id, assessed)
    await made.send_code()
    return made


async def place(service: Service, **customer: Any) -> Sequence[OrderAssessed]:
    event = an_order(customer_id=str(new_id()), **customer)
    handler = next(it for it in service.handlers if it.message_class is OrderPlaced)
    async with service.db.transaction() as tx:
        await handler.fn(tx, [event])
        return [it for it in events_of(tx) if isinstance(it, OrderAssessed)]
