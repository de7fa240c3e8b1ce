"""The five services on real sockets, in a thread with its own loop, each with a fresh database.

A thread, because the fuzzer calls from plain functions: it must not block the loop that answers.
"""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from inventory_vault.opener.client import OpenerClient
from kit.auth import MintedKey, mint_api_key
from kit.errors import DomainError
from kit.keys import UPSERT_KEY
from kit.service import Service, running_api, running_jobs
from onebox.ports import free_ports
from onebox.services import SERVICES
from order.api_keys.domain import MERCHANT_SCOPES
from tests.contracts.services import build, closing, settings_of, variables

START_SECONDS_MAX = 60.0
_PEERS = {
    "vault_url": "inventory-vault",
    "fulfillment_url": "fulfillment",
    "order_url": "order",
}
MERCHANT = UUID("0193a3f0-0000-7000-8000-000000000001")
STRANGER = UUID("0193a3f0-0000-7000-8000-000000000002")


_Key = tuple[MintedKey, UUID, list[str]]


@dataclass(slots=True)
class RunningSet:
    """Where the services are, and a key that may do everything for one merchant."""

    urls: Mapping[str, str]
    api_key: str
    stranger_key: str
    """Has every scope a merchant's key can have, for another merchant."""
    bare_key: str
    """Of the first merchant, without any scope."""
    documents: Mapping[str, dict[str, Any]]
    """The OpenAPI document of each."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}


@contextmanager
def running_set(database_urls: Mapping[str, str], folder: Path) -> Iterator[RunningSet]:
    """All five, for the length of the block."""
    ports = dict(zip((service.name for service in SERVICES), free_ports(5), strict=True))
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    minted, stranger, bare = (mint_api_key() for _ in range(3))
    keys = [
        (minted, MERCHANT, ["*"]),
        (stranger, STRANGER, sorted(MERCHANT_SCOPES)),
        (bare, MERCHANT, []),
    ]
    services = list(_all(database_urls, ports, folder))
    with _ServicesThread(services, keys):
        documents = {
            name: httpx.get(f"{url}/openapi.json", timeout=30).json() for name, url in urls.items()
        }
        yield RunningSet(urls, minted.text, stranger.text, bare.text, documents)


class _ServicesThread:
    """Starts the services at the block's beginning, ends them in order at its end."""

    def __init__(self, services: Sequence[Service], keys: Sequence[_Key]) -> None:
        self._services = services
        self._keys = keys
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="services")

    def __enter__(self) -> None:
        self._thread.start()
        assert self._ready.wait(START_SECONDS_MAX), "the services did not start"
        if self._failure is not None:
            raise self._failure

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(START_SECONDS_MAX)
        if self._failure is not None:
            raise self._failure

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # told in the test's own thread
            self._failure = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for service in self._services:
                await stack.enter_async_context(closing(service))
                await _let_in(service, self._keys)
                if service.name == "inventory-vault":
                    await stack.enter_async_context(_running_opener(service))
                    await stack.enter_async_context(_sequencing(service))
                await stack.enter_async_context(running_jobs(service))
                await stack.enter_async_context(running_api(service))
            self._ready.set()
            await asyncio.to_thread(self._stop.wait)


def _all(
    database_urls: Mapping[str, str], ports: Mapping[str, int], folder: Path
) -> Iterator[Service]:
    for name, port in ports.items():
        settings = settings_of(name, folder, database_urls[name])
        more: dict[str, Any] = {"port": port}
        for field, other in _PEERS.items():
            if field in type(settings).model_fields:
                more[field] = f"http://127.0.0.1:{ports[other]}"
        yield build(settings.model_copy(update=more))


async def _let_in(service: Service, keys: Sequence[_Key]) -> None:
    """The keys, as the events about them would bring them; in `order` the merchants too."""
    async with service.db.transaction([None]) as tx:
        for minted, merchant_id, scopes in keys:
            if service.name == "order":
                await tx.execute(_MERCHANT, {"id": merchant_id})
            key = {
                "key_id": minted.key_id,
                "merchant_id": merchant_id,
                "secret_hash": minted.secret_hash,
                "scopes": scopes,
                "expires_at": None,
                "revoked_at": None,
                "suspended_at": None,
                "allowed_ips": [],
                "version": 1,
            }
            await tx.execute(UPSERT_KEY, key)


_MERCHANT = text(
    "INSERT INTO merchant (id, name) VALUES (:id, 'Contracts Ltd') ON CONFLICT DO NOTHING"
)


@asynccontextmanager
async def _sequencing(vault: Service) -> AsyncIterator[None]:
    """The audit log's entries get their places, as the vault's worker sees to it."""
    job = next(job for job in vault.jobs if job.name == "sequence-audit-log")
    running = asyncio.create_task(job.run())
    try:
        yield
    finally:
        job.stop()
        await running


@asynccontextmanager
async def _running_opener(vault: Service) -> AsyncIterator[None]:
    """The process that holds the vault's private key, as it runs beside the vault always."""
    settings: Any = vault.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "inventory_vault", "opener"),
        env={**os.environ, **variables(settings)},
    )
    opener = OpenerClient(settings.opener_socket, timeout_seconds=1)
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            while True:
                assert process.returncode is None, "the opener ended"
                with contextlib.suppress(DomainError, OSError):
                    await opener.active_key()
                    break
                await asyncio.sleep(0.05)
        yield
    finally:
        await opener.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()
