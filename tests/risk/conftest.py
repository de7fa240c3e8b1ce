"""The risk service on a database of its own, and its API as a shop sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from kit.auth import mint_api_key
from kit.db import Database, Transaction
from kit.keys import UPSERT_KEY
from kit.messaging.events import Event
from kit.messaging.outbox import events_of
from kit.service import Service, create_app
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from lockstock.risk.v1.assessment_events_pb2 import OrderAssessed
from risk.app import create_service
from risk.settings import Settings
from tests.risk.factories import MERCHANT
from tests.stack.service_databases import ServiceDatabases

Assess = Callable[[Sequence[Event[OrderPlaced]]], Awaitable[list[OrderAssessed]]]
ApiClient = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="session")
async def risk_database(service_databases: ServiceDatabases) -> AsyncIterator[str]:
    """One database for these tests: making and dropping one each takes longer than the tests."""
    name, url = await service_databases.create("risk")
    yield url
    await service_databases.drop(name)


@pytest.fixture
async def service(risk_database: str) -> AsyncIterator[Service]:
    """Objects of its own for each test; what it wrote is gone afterwards."""
    settings = Settings(
        database_url=risk_database,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret="s" * 32,
        database_pool_size=24,
    )
    service = create_service(settings)
    yield service
    await _empty(service)
    await service.db.close()


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
    app = create_app(service)
    clients: list[httpx.AsyncClient] = []

    async def open_client(*scopes: str, merchant_id: UUID = MERCHANT) -> httpx.AsyncClient:
        key = mint_api_key()
        async with service.db.transaction() as tx:
            await _store_key(tx, key.key_id, key.secret_hash, merchant_id, scopes)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://risk",
            headers={"Authorization": f"Bearer {key.text}"},
        )
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        await client.aclose()


async def _store_key(
    tx: Transaction, key_id: str, secret_hash: bytes, merchant_id: UUID, scopes: Sequence[str]
) -> None:
    values: dict[str, Any] = {
        "key_id": key_id,
        "merchant_id": merchant_id,
        "secret_hash": secret_hash,
        "scopes": list(scopes),
        "expires_at": None,
        "revoked_at": None,
        "version": 1,
    }
    await tx.execute(UPSERT_KEY, values)


async def _empty(service: Service) -> None:
    # One statement and no new files: many times faster than TRUNCATE.
    deletes = ", ".join(
        f'd{number} AS (DELETE FROM "{name}")'  # noqa: S608 - our own tables
        for number, name in enumerate(service.metadata.tables)
    )
    async with service.db.transaction() as tx:
        await tx.execute(text(f"WITH {deletes} SELECT 1"))
