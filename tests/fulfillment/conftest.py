"""The fulfillment service on a database of its own, its consumer, its API and its page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message
from sqlalchemy import text

from fulfillment.app import create_service
from fulfillment.settings import Settings
from kit.auth import mint_api_key
from kit.db import Database
from kit.keys import UPSERT_KEY
from kit.messaging.events import Event, type_of
from kit.messaging.outbox import events_of
from kit.service import Service, create_app
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from tests.fulfillment.factories import MERCHANT
from tests.fulfillment.real_vault import SECRET, RealVault, running_vault
from tests.stack.service_databases import ServiceDatabases
from tests.suppliers.simulator import Simulator, running_simulator

Accept = Callable[..., Awaitable[list[Message]]]
ApiClient = Callable[..., Awaitable[httpx.AsyncClient]]
LINK_SECRET = "l" * 32
SAFE_KEY = "k" * 32


@pytest.fixture(scope="session")
async def database_of_run(
    service_databases: ServiceDatabases,
) -> AsyncIterator[str]:
    """One database for these tests: a new one each takes longer than they do."""
    name, url = await service_databases.create("fulfillment")
    yield url
    await service_databases.drop(name)


@pytest.fixture
async def settings(
    service_databases: ServiceDatabases, database_of_run: str
) -> AsyncIterator[Settings]:
    """With a database that is empty; what is written there is gone afterwards."""
    yield settings_with(database_of_run)
    await service_databases.empty(database_of_run, cut_off=True)


def settings_with(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret=SECRET,
        link_secret=LINK_SECRET,
        safe_key=SAFE_KEY,
        public_url="http://fulfillment",
        vault_url="http://127.0.0.1:1",
        order_url="http://127.0.0.1:1",
        vault_timeout_seconds=2.0,
        guess_every_seconds=60.0,
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


@pytest.fixture(scope="session")
async def vault_of_run(service_databases: ServiceDatabases) -> AsyncIterator[RealVault]:
    """A real vault with its opener, started once: tests keep apart by their pools."""
    name, url = await service_databases.create("inventory-vault")
    async with running_vault(url) as vault:
        yield vault
    await service_databases.drop(name)


@pytest.fixture
def vault(vault_of_run: RealVault) -> RealVault:
    """The vault with a whole line to it."""
    vault_of_run.line.mend()
    return vault_of_run


@pytest.fixture
async def served(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    """The service with a line to the real vault."""
    service = create_service(settings, vault_transport=vault.line)
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


async def dispatch(service: Service) -> None:
    """Lets the dispatchers work until nothing is due."""
    for job in service.jobs:
        while await job._run():
            pass


async def end_pauses(service: Service) -> None:
    """Every pending task is due now, as if its pause or lease were over."""
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE task SET due_at = clock_timestamp()"))


async def published(service: Service) -> list[Message]:
    """Everything the service ever published, in order."""
    classes: dict[str, type[Message]] = {type_of(it): it for it in service.publishes}
    async with service.db.read() as tx:
        rows = await tx.execute(text("SELECT type, payload FROM event_log ORDER BY id"))
        return [classes[row.type].FromString(row.payload) for row in rows]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
async def buying(settings: Settings) -> AsyncIterator[Service]:
    """The service, with short pauses, allowed to call suppliers on this machine."""
    quick = {
        "supplier_private_addresses": True,
        "supplier_pause_seconds_max": 0.1,
        "supplier_patience_seconds": 0.4,
        "supplier_unreachable_seconds_max": 0.5,
    }
    service = create_service(settings.model_copy(update=quick))
    yield service
    for close in reversed(service.closing):
        await close()
    await service.db.close()


@pytest.fixture
def app(service: Service) -> FastAPI:
    return create_app(service)


@pytest.fixture
async def api(service: Service, app: FastAPI) -> AsyncIterator[ApiClient]:
    """`await api("deliveries:read", merchant_id=...)` -> a client whose key has these scopes."""
    async with AsyncExitStack() as stack:

        async def open_client(*scopes: str, merchant_id: UUID = MERCHANT) -> httpx.AsyncClient:
            return await stack.enter_async_context(
                a_client(service, app, *scopes, merchant_id=merchant_id)
            )

        yield open_client


@asynccontextmanager
async def a_client(
    service: Service, app: FastAPI, *scopes: str, merchant_id: UUID = MERCHANT
) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose key has these scopes; without any, a client without a key."""
    headers = {"Authorization": await a_key(service.db, scopes, merchant_id)} if scopes else {}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://fulfillment", headers=headers
    ) as client:
        yield client


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
                "suspended_at": None,
                "allowed_ips": [],
                "version": 1,
            },
        )
    return f"Bearer {key.text}"
