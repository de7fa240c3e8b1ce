"""The vault on a database of its own, its API as a shop sees it, and a real opener on a socket."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from inventory_vault.app import create_service
from inventory_vault.opener.keyring import load_keyring
from inventory_vault.opener.server import Opener, listening
from inventory_vault.settings import Settings
from kit.auth import mint_api_key
from kit.db import Database
from kit.ids import new_id
from kit.keys import UPSERT_KEY
from kit.messaging.events import Event
from kit.service import Service, create_app, running_jobs, service_tokens
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.factories import Vault
from tests.inventory_vault.tills import Till
from tests.stack.service_databases import ServiceDatabases

Deliver = Callable[..., Awaitable[None]]
OpenClient = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="module")
async def settings(service_databases: ServiceDatabases, run_dir: Path) -> AsyncIterator[Settings]:
    """One database per module; tests keep apart by having a merchant each."""
    name, url = await service_databases.create("inventory-vault")
    folder = run_dir / name
    folder.mkdir()
    yield Settings(
        database_url=url,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret="s" * 32,
        fingerprint_key="f" * 32,
        opener_socket=folder / "opener.sock",
        master_key_file=folder / "master.key",
        audit_folder=folder / "audit",
        audit_key_file=folder / "audit.key",
        database_pool_size=12,
        api_key_cache_seconds=5,
    )
    await service_databases.drop(name)


@pytest.fixture(scope="module")
async def service(settings: Settings) -> AsyncIterator[Service]:
    """Built as in production, with its imports at work."""
    service = create_service(settings)
    async with running_jobs(service):
        yield service
    for close in service.closing:
        await close()
    await service.db.close()


@pytest.fixture(scope="module")
async def opener(settings: Settings) -> AsyncIterator[None]:
    """The opener's own code on its own socket and connections, in this loop."""
    db = Database(settings.database_url.get_secret_value(), application_name="opener", pool_size=2)
    keyring = await load_keyring(db, settings)
    async with listening(settings.opener_socket, Opener(db, keyring, fingerprint_key=b"f" * 32)):
        yield
    await db.close()


@pytest.fixture(scope="module")
def app(service: Service) -> Any:
    return create_app(service)


@pytest.fixture
def merchant() -> UUID:
    return new_id()


@pytest.fixture
def db(service: Service) -> Database:
    return service.db


@pytest.fixture
async def api(service: Service, app: Any, merchant: UUID) -> AsyncIterator[OpenClient]:
    """`await api("stock:read", merchant_id=...)` -> a client whose key has just these scopes."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_client(
            *scopes: str, merchant_id: UUID | None = merchant
        ) -> httpx.AsyncClient:
            key = mint_api_key()
            async with service.db.transaction() as tx:
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
            return await stack.enter_async_context(client_of(app, key.text))

        yield open_client


@pytest.fixture
async def vault(opener: None, api: OpenClient, merchant: UUID) -> Vault:
    """A shop's view of the whole service."""
    scopes = (
        "alarms:read",
        "alarms:write",
        "keys:reveal",
        "reservations:write",
        "stock:read",
        "stock:write",
    )
    return Vault(await api(*scopes, "redemptions:read", "redemptions:write"), merchant)


@pytest.fixture
def till(vault: Vault) -> Till:
    """Where the merchant's vouchers are redeemed."""
    return Till(vault)


@pytest.fixture
async def as_service(service: Service, app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a service's token."""
    token = service_tokens(service.settings).issue("fulfillment")
    async with client_of(app, token) as client:
        yield client


@pytest.fixture
def deliver(service: Service) -> Deliver:
    """Gives events of one class to their consumer, in one transaction."""
    handlers = {handler.message_class: handler.fn for handler in service.handlers}

    async def run(*events: Event[Any]) -> None:
        async with service.db.transaction() as tx:
            await handlers[type(events[0].message)](tx, events)

    return run


@pytest.fixture
def audit_log(db: Database, settings: Settings) -> AuditLog:
    """The log of this vault: `await audit_log.sequence()` gives every entry its place."""
    return AuditLog.of(db, settings)


@pytest.fixture
def rows(db: Database) -> Callable[..., Awaitable[list[Any]]]:
    """`await rows("SELECT ...", name=value)`."""

    async def read(sql: str, **parameters: Any) -> list[Any]:
        async with db.read() as tx:
            return list(await tx.execute(text(sql), parameters))

    return read


def client_of(app: Any, credential: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://vault",
        headers={"Authorization": f"Bearer {credential}"},
        timeout=60,
    )
