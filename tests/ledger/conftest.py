"""The ledger on a database of its own, and its API as an operator sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.messaging.events import Event
from kit.service import Service
from ledger.app import create_service
from ledger.settings import Settings
from tests.ledger.factories import MERCHANT
from tests.stack.api import ApiClient, api_clients
from tests.stack.service_databases import ServiceDatabases

Deliver = Callable[..., Awaitable[None]]
Balances = Callable[..., Awaitable[dict[tuple[str, str], int]]]


@pytest.fixture(scope="session")
async def ledger_database(service_databases: ServiceDatabases) -> AsyncIterator[str]:
    """One database for these tests: making and dropping one each takes longer than the tests."""
    name, url = await service_databases.create("ledger")
    yield url
    await service_databases.drop(name)


@pytest.fixture
async def service(
    service_databases: ServiceDatabases, ledger_database: str
) -> AsyncIterator[Service]:
    """Objects of its own for each test; what it wrote is gone afterwards."""
    settings = Settings(
        database_url=ledger_database,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret="s" * 32,
        database_pool_size=24,
    )
    service = create_service(settings)
    yield service
    await service.db.close()
    await service_databases.empty(ledger_database)


@pytest.fixture
def db(service: Service) -> Database:
    return service.db


@pytest.fixture
def deliver(service: Service) -> Deliver:
    """Gives events of one class to their consumers, in one transaction."""

    async def run(*events: Event[Any]) -> None:
        them = [it for it in service.handlers if it.message_class is type(events[0].message)]
        async with service.db.transaction() as tx:
            for first in {handler.first for handler in them} - {None}:
                assert first is not None
                await first(tx, events)
            for handler in them:
                await handler.fn(tx, events)

    return run


@pytest.fixture
def deliver_and_follow(deliver: Deliver, service: Service) -> Deliver:
    """The same, and what was posted is in the chain and in the roll-ups."""

    async def run(*events: Event[Any]) -> None:
        await deliver(*events)
        await follow(service)

    return run


async def follow(service: Service) -> None:
    """What the worker does behind: until nothing waits."""
    while await service.state["chain"].chain_waiting():
        pass


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
    async with api_clients(service, MERCHANT) as clients:
        yield clients


_BALANCES = text("""
    SELECT account.code, account.currency, balance.debit_minor - balance.credit_minor AS balance
    FROM account JOIN account_balance AS balance ON balance.account_id = account.id
    WHERE account.merchant_id = :merchant_id AND balance.debit_minor <> balance.credit_minor
""")
