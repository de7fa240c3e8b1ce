"""The order service on a database of its own: its API, its consumers, its jobs."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message

from kit.auth import ServiceTokens, mint_api_key
from kit.db import Database
from kit.keys import UPSERT_KEY
from kit.messaging.events import Event
from kit.messaging.outbox import events_of
from kit.peers import Peer
from kit.service import Service, create_app
from kit.tenancy import EVERY_MERCHANT
from order.api_keys.domain import MERCHANT_SCOPES
from order.app import create_service
from order.coupons.domain import CodeKeeper
from order.margins.service import MarginService
from order.merchants import service as merchants
from order.pool_costs import PoolCosts
from order.prices.service import PriceReader
from order.provider import load_providers
from order.settings import Settings
from order.step_kinds import Outside
from order.vault import Vault
from tests.order.factories import MERCHANT, OTHER_MERCHANT, SHOP, UNTRUSTED
from tests.order.vaults import ScriptedVault
from tests.stack.service_databases import ServiceDatabases

Consume = Callable[..., Awaitable[list[Message]]]
ApiClient = Callable[..., Awaitable[httpx.AsyncClient]]
SECRET = "s" * 32
CONTACT_KEY = "c" * 32
ACCOUNT_KEY = "a" * 32


@pytest.fixture(scope="module")
async def settings(service_databases: ServiceDatabases) -> AsyncIterator[Settings]:
    """One database per module, emptied before each test. With one for all, filling 100,000 order
    lines for the search took over a minute instead of seconds.
    """
    name, url = await service_databases.create("order")
    yield settings_for(url)
    await service_databases.drop(name)


@pytest.fixture
async def empty(service_databases: ServiceDatabases, settings: Settings) -> None:
    """Nothing of earlier tests is left in the database."""
    await service_databases.empty(settings.database_url.get_secret_value())


def settings_for(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret=SECRET,
        contact_key=CONTACT_KEY,
        account_key=ACCOUNT_KEY,
        vault_url="http://vault",
    )


@pytest.fixture(scope="module")
def scripted_vault() -> ScriptedVault:
    return ScriptedVault()


@pytest.fixture
def vault(scripted_vault: ScriptedVault) -> ScriptedVault:
    """A vault that holds everything unless it is told to misbehave."""
    scripted_vault.forget()
    return scripted_vault


def outside_of(db: Database, transport: httpx.AsyncBaseTransport, *providers: str) -> Outside:
    """What steps of a test may use, as the service has it."""
    peer = Peer("http://vault", service="order", tokens=ServiceTokens(SECRET), transport=transport)
    return Outside(
        db,
        Vault(peer),
        load_providers(list(providers)),
        PriceReader(CodeKeeper(CONTACT_KEY)),
        MarginService(PoolCosts(peer)),
    )


@pytest.fixture(scope="module")
async def built(settings: Settings, scripted_vault: ScriptedVault) -> AsyncIterator[Service]:
    service = create_service(settings, vault_transport=scripted_vault)
    # What tests write and read by themselves; requests, events and jobs say whom they act for.
    service.db.acts_for_outside = EVERY_MERCHANT
    yield service
    for close in service.closing:
        await close()
    await service.db.close()


@pytest.fixture
async def service(built: Service, empty: None, vault: ScriptedVault) -> Service:
    """The service with empty tables, two merchants and their channels."""
    await make_merchants(built.db)
    return built


async def make_merchants(db: Database) -> None:
    """Two merchants; the first has a trusted and an untrusted channel."""
    async with db.transaction() as tx:
        await merchants.ensure_merchant(tx, MERCHANT, "Lucky Cards")
        await merchants.ensure_merchant(tx, OTHER_MERCHANT, "Other Cards")
        await merchants.ensure_channel(tx, SHOP, MERCHANT, "Shop", "shop", is_trusted=True)
        await merchants.ensure_channel(
            tx, UNTRUSTED, MERCHANT, "Partner", "partner", is_trusted=False
        )


@pytest.fixture
def db(service: Service) -> Database:
    return service.db


@pytest.fixture
def consume(service: Service) -> Consume:
    """Gives events of one type to their handler, in one transaction; answers what it published."""

    async def run(*events: Event[Message]) -> list[Message]:
        handler = next(it for it in service.handlers if it.message_class is type(events[0].message))
        async with service.db.transaction() as tx:
            await handler.fn(tx, events)
            return events_of(tx)

    return run


@pytest.fixture(scope="module")
def app(built: Service) -> FastAPI:
    return create_app(built)


@pytest.fixture
async def open_api(service: Service, app: FastAPI) -> AsyncIterator[ApiClient]:
    """`await open_api(scopes, merchant_id=...)` -> a client whose key has these scopes."""
    clients: list[httpx.AsyncClient] = []

    async def open_client(
        scopes: Sequence[str] = tuple(MERCHANT_SCOPES), *, merchant_id: UUID | None = MERCHANT
    ) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://order",
            headers={"Authorization": await a_key(service.db, scopes, merchant_id)},
        )
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        await client.aclose()


@pytest.fixture
async def api(open_api: ApiClient) -> httpx.AsyncClient:
    """The merchant's own client, with every scope."""
    return await open_api()


@pytest.fixture
async def other_api(open_api: ApiClient) -> httpx.AsyncClient:
    """Another merchant's client, with every scope."""
    return await open_api(merchant_id=OTHER_MERCHANT)


async def a_key(db: Database, scopes: Sequence[str], merchant_id: UUID | None) -> str:
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
