"""The fulfillment service on a database of its own, its consumer, its API and its page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fulfillment.app import create_service
from fulfillment.settings import Settings
from google.protobuf.message import Message
from kit.auth import mint_api_key
from kit.db import Database
from kit.keys import UPSERT_KEY
from kit.messaging.events import Event
from kit.messaging.outbox import events_of
from kit.service import Service, create_app
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested

from tests.conftest import ServiceDatabase
from tests.fulfillment.factories import MERCHANT

Accept = Callable[..., Awaitable[list[Message]]]
ApiClient = Callable[..., Awaitable[httpx.AsyncClient]]
SECRET = "s" * 32
LINK_SECRET = "l" * 32


@pytest.fixture
async def settings(service_database: ServiceDatabase) -> Settings:
    return Settings(
        database_url=await service_database("fulfillment"),
        kafka_bootstrap="127.0.0.1:1",
        internal_secret=SECRET,
        link_secret=LINK_SECRET,
        public_url="http://fulfillment",
        vault_url="http://127.0.0.1:1",
        vault_timeout_seconds=2.0,
        dispatch_pause_seconds_max=0.2,
    )


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The service alone: nothing listens where its vault should be."""
    service = create_service(settings)
    yield service
    for close in service.closing:
        await close()
    await service.db.close()


@pytest.fixture
def db(service: Service) -> Database:
    return service.db


@pytest.fixture
def accept(service: Service) -> Accept:
    """Gives a batch of requests to the consumer in one transaction; answers what was published."""
    return acceptor(service)


def acceptor(service: Service) -> Accept:
    handler = next(it for it in service.handlers if it.message_class is FulfillmentRequested)

    async def run(*events: Event[FulfillmentRequested]) -> list[Message]:
        async with service.db.transaction() as tx:
            await handler.fn(tx, events)
            return events_of(tx)

    return run


@pytest.fixture
def app(service: Service) -> FastAPI:
    return create_app(service)


@pytest.fixture
async def api(service: Service, app: FastAPI) -> AsyncIterator[ApiClient]:
    """`await api("deliveries:read", merchant_id=...)` -> a client whose key has these scopes."""
    clients: list[httpx.AsyncClient] = []

    async def open_client(*scopes: str, merchant_id: UUID = MERCHANT) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://fulfillment",
            headers={"Authorization": await a_key(service.db, scopes, merchant_id)}
            if scopes
            else {},
        )
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        await client.aclose()


async def a_key(db: Database, scopes: tuple[str, ...], merchant_id: UUID) -> str:
    key = mint_api_key()
    async with db.transaction() as tx:
        await tx.execute(
            UPSERT_KEY,
            {
                "key_id": key.key_id,
                "merchant_id": merchant_id,
                "secret_hash": key.secret_hash,
                "scopes": list(scopes),
                "expires_at": None,
                "revoked_at": None,
                "version": 1,
            },
        )
    return f"Bearer {key.text}"
