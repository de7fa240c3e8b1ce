"""The risk service on a database of its own, and its API as a shop sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from kit.db import Database
from kit.messaging.events import Event
from kit.messaging.outbox import events_of
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from lockstock.risk.v1.assessment_events_pb2 import OrderAssessed
from risk.app import create_service
from risk.settings import Settings
from tests.risk.factories import MERCHANT
from tests.stack.api import ApiClient, api_clients
from tests.stack.service_databases import ServiceDatabases

Assess = Callable[[Sequence[Event[OrderPlaced]]], Awaitable[list[OrderAssessed]]]


@pytest.fixture(scope="session")
async def risk_database(service_databases: ServiceDatabases) -> AsyncIterator[str]:
    """One database for these tests: making and dropping one each takes longer than the tests."""
    name, url = await service_databases.create("risk")
    yield url
    await service_databases.drop(name)


@pytest.fixture
async def service(
    service_databases: ServiceDatabases, risk_database: str
) -> AsyncIterator[Service]:
    """Objects of its own for each test; what it wrote is gone afterwards."""
    settings = Settings(
        database_url=risk_database,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret="s" * 32,
        database_pool_size=24,
    )
    service = create_service(settings)
    yield service
    await service.db.close()
    await service_databases.empty(risk_database)


@pytest.fixture
def db(service: Service) -> Database:
    return service.db


@pytest.fixture
def assess(service: Service) -> Assess:
    """Gives a batch to the consumer in one transaction; answers what was published."""
    handler = next(it for it in service.handlers if it.message_class is OrderPlaced)

    async def run(events: Sequence[Event[OrderPlaced]]) -> list[OrderAssessed]:
        async with service.db.transaction() as tx:
            await handler.fn(tx, events)
            return [it for it in events_of(tx) if isinstance(it, OrderAssessed)]

    return run


@pytest.fixture
async def api(service: Service) -> AsyncIterator[ApiClient]:
    """`await api("risk:read", merchant_id=...)` -> a client whose key has just these scopes."""
    async with api_clients(service, MERCHANT) as clients:
        yield clients
