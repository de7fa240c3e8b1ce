"""The ledger on a database of its own, and its API as an operator sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from kit.auth import mint_api_key
from kit.db import Database
from kit.keys import UPSERT_KEY
from kit.messaging.events import Event
from kit.service import Service, create_app
from ledger.app import create_service
from ledger.settings import Settings
from tests.ledger.factories import MERCHANT
from tests.stack.service_databases import ServiceDatabases

Deliver = Callable[..., Awaitable[None]]
ApiClient = Callable[..., Awaitable[httpx.AsyncClient]]
Balances = Callable[..., Awaitable[dict[tuple[str, str], int]]]


@pytest.fixture(scope="session")
async def ledger_database(service_databases: ServiceDatabases) -> AsyncIterator[str]:
    """One database for these tests: making and dropping one each takes longer than the tests."""
    name, url = await service_databases.create("ledger")
    yield url
    await service_databases.drop(name)


@pytest.fixture
async def service(ledger_database: str) -> AsyncIterator[Service]:
    """Objects of its own for each test; what it wrote is gone afterwards."""
    settings = Settings(
        database_url=ledger_database,
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
def deliver(service: Service) -> Deliver:
    """Gives events of one class to their consumer, in one transaction."""
    handlers = {handler.message_class: handler.fn for handler in service.handlers}

    async def run(*events: Event[Any]) -> None:
        async with service.db.transaction() as tx:
            await handlers[type(events[0].message)](tx, events)

    return run


@pytest.fixture
def balances(db: Database) -> Balances:
    """(account, currency) -> debits less credits, for accounts that are not at zero."""

    async def read(merchant_id: UUID = MERCHANT) -> dict[tuple[str, str], int]:
        async with db.read() as tx:
            rows = await tx.execute(_BALANCES, {"merchant_id": merchant_id})
            return {(row.code, row.currency): int(row.balance) for row in rows}

    return read


@pytest.fixture
async def api(service: Service) -> AsyncIterator[ApiClient]:
    """`await api("ledger:read", merchant_id=...)` -> a client whose key has just these scopes."""
    app = create_app(service)
    clients: list[httpx.AsyncClient] = []

    async def open_client(*scopes: str, merchant_id: UUID = MERCHANT) -> httpx.AsyncClient:
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
                    "version": 1,
                },
            )
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://ledger",
            headers={"Authorization": f"Bearer {key.text}"},
        )
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        await client.aclose()


async def _empty(service: Service) -> None:
    """The ledger refuses this; only the owner of the tables may take its guards off."""
    guarded = ("transaction", "posting", "account", "account_balance")
    # One statement and no new files: many times faster than TRUNCATE.
    deletes = ", ".join(
        f'd{number} AS (DELETE FROM "{name}")'  # noqa: S608 - our own tables
        for number, name in enumerate(service.metadata.tables)
    )
    async with service.db.transaction() as tx:
        for name in guarded:
            await tx.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
        await tx.execute(text(f"WITH {deletes} SELECT 1"))
        for name in guarded:
            await tx.execute(text(f"ALTER TABLE {name} ENABLE TRIGGER USER"))


_BALANCES = text("""
    SELECT account.code, account.currency, balance.debit_minor - balance.credit_minor AS balance
    FROM account JOIN account_balance AS balance ON balance.account_id = account.id
    WHERE account.merchant_id = :merchant_id AND balance.debit_minor <> balance.credit_minor
""")
