"""The order service with every provider that has a peer, each on a socket of its own."""

import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from kit.db import Database
from kit.periodic import Periodic
from kit.service import Service
from order.settings import Settings
from tests.order.conftest import settings_for
from tests.order.providers import peers as peers_package
from tests.order.providers.peers.base import ProviderPeer, Pushed
from tests.order.providers.peers.serving import served
from tests.stack.service_databases import ServiceDatabases

ANSWER_SECONDS = 0.5
Push = Callable[[str, Pushed], Awaitable[httpx.Response]]


def peer_classes() -> dict[str, type[Any]]:
    """Those of the folder `peers`, by the provider they stand for."""
    modules = [
        import_module(f"{peers_package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(peers_package.__path__)
    ]
    made = [module.PEER for module in modules if hasattr(module, "PEER")]
    return {peer.name: peer for peer in made}


@pytest.fixture(scope="module")
async def peers() -> AsyncIterator[Mapping[str, ProviderPeer]]:
    async with AsyncExitStack() as stack:
        made = {name: peer() for name, peer in peer_classes().items()}
        for peer in made.values():
            await stack.enter_async_context(served(peer))
        yield made


@pytest.fixture(scope="module")
async def settings(
    service_databases: ServiceDatabases, peers: Mapping[str, Any]
) -> AsyncIterator[Settings]:
    name, url = await service_databases.create("order")
    yield settings_for(url).model_copy(
        update={
            "payment_providers": ",".join(["demo", *peers]),
            "provider_urls": ",".join(f"{name}={peer.url}" for name, peer in peers.items()),
            "provider_timeout_seconds": ANSWER_SECONDS,
        }
    )
    await service_databases.drop(name)


@pytest.fixture
async def stranger(app: FastAPI, service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without an API key, as payment providers are."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://order") as client:
        yield client


@pytest.fixture
def push(stranger: httpx.AsyncClient) -> Push:
    async def send(path: str, pushed: Pushed) -> httpx.Response:
        return await stranger.post(path, content=pushed.body, headers=pushed.headers)

    return send


def job_of(service: Service, name: str) -> Periodic:
    return next(job for job in service.jobs if job.name == name)


async def run_job(service: Service, name: str) -> None:
    """One round, as if all pauses were over."""
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE payment_checkout SET next_at = clock_timestamp()"))
        await tx.execute(text("UPDATE order_refund SET next_at = clock_timestamp()"))
    await job_of(service, name)._run()


async def notices_of(db: Database) -> list[Any]:
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT * FROM payment_notice ORDER BY id"))
        return list(rows)


async def payments_of(db: Database, order_id: object) -> list[Any]:
    async with db.read() as tx:
        rows = await tx.execute(
            text("SELECT * FROM order_payment WHERE order_id = :id"), {"id": order_id}
        )
        return list(rows)
