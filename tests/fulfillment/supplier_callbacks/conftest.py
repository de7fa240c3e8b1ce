"""The service as suppliers call it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from kit.service import Service, create_app


@pytest.fixture
async def http(buying: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(buying))
    async with httpx.AsyncClient(transport=transport, base_url="http://fulfillment") as client:
        yield client
