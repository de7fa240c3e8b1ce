"""A service's API in this process, called with keys of chosen scopes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import httpx

from kit.auth import mint_api_key
from kit.keys import UPSERT_KEY
from kit.service import Service, create_app

ApiClient = Callable[..., Awaitable[httpx.AsyncClient]]


@asynccontextmanager
async def api_clients(service: Service, merchant: UUID) -> AsyncIterator[ApiClient]:
    """`await api("risk:read", merchant_id=...)` -> a client whose key has just these scopes."""
    app = create_app(service)
    clients: list[httpx.AsyncClient] = []

    async def open_client(*scopes: str, merchant_id: UUID = merchant) -> httpx.AsyncClient:
        key = mint_api_key()
        values = {
            "key_id": key.key_id,
            "merchant_id": merchant_id,
            "secret_hash": key.secret_hash,
            "scopes": list(scopes),
            "expires_at": None,
            "revoked_at": None,
            "suspended_at": None,
            "allowed_ips": [],
            "version": 1,
        }
        async with service.db.transaction() as tx:
            await tx.execute(UPSERT_KEY, values)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url=f"http://{service.name}",
            headers={"Authorization": f"Bearer {key.text}"},
        )
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        await client.aclose()
