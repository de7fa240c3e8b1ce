"""The two ways a request travels. Everything above them is written once, as coroutines: with
`BlockingSender` none of these ever waits for an event loop, see `lockstock_client.blocking`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol, TypeVar

import httpx

from lockstock_client.problems import problem_of

CONNECTIONS_MAX = 64
TIMEOUT = httpx.Timeout(15.0, connect=5.0, write=120.0)
"""Writing may take long: an upload waits there for a slow line."""
_LIMITS = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)


def timeout_of(seconds: float | None) -> httpx.Timeout:
    """So many seconds for each answer; connecting and sending keep their own limits."""
    return TIMEOUT if seconds is None else httpx.Timeout(seconds, connect=5.0, write=120.0)


T = TypeVar("T")
Request = Mapping[str, Any]
"""What httpx takes besides method, URL and headers."""


class Sender(Protocol):
    """One connection pool, and how to wait with it."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], request: Request
    ) -> httpx.Response:
        """Raises httpx.TransportError."""
        ...

    def stream(
        self, method: str, url: str, headers: Mapping[str, str], request: Request
    ) -> AsyncIterator[bytes]:
        """The answer's body as it comes. Raises httpx.TransportError, Problem."""
        ...

    async def pause(self, seconds: float) -> None: ...

    async def apart(self, work: Callable[[], T]) -> T:
        """Work that takes long, where it disturbs nobody."""
        ...

    async def close(self) -> None: ...


class AsyncSender:
    """For event loops."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport | None, timeout: httpx.Timeout = TIMEOUT
    ) -> None:
        self._client = httpx.AsyncClient(timeout=timeout, limits=_LIMITS, transport=transport)

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], request: Request
    ) -> httpx.Response:
        return await self._client.request(method, url, headers=headers, **request)

    async def stream(
        self, method: str, url: str, headers: Mapping[str, str], request: Request
    ) -> AsyncIterator[bytes]:
        async with self._client.stream(method, url, headers=headers, **request) as answer:
            if answer.is_error:
                await answer.aread()
                raise problem_of(answer)
            async for chunk in answer.aiter_bytes():
                yield chunk

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def apart(self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work)

    async def close(self) -> None:
        await self._client.aclose()


class BlockingSender:
    """For programs without a loop: its coroutines end without ever being suspended."""

    def __init__(
        self, transport: httpx.BaseTransport | None, timeout: httpx.Timeout = TIMEOUT
    ) -> None:
        self._client = httpx.Client(timeout=timeout, limits=_LIMITS, transport=transport)

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], request: Request
    ) -> httpx.Response:
        return self._client.request(method, url, headers=headers, **request)

    async def stream(
        self, method: str, url: str, headers: Mapping[str, str], request: Request
    ) -> AsyncIterator[bytes]:
        with self._client.stream(method, url, headers=headers, **request) as answer:
            if answer.is_error:
                answer.read()
                raise problem_of(answer)
            for chunk in answer.iter_bytes():
                yield chunk

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop that could wait meanwhile

    async def apart(self, work: Callable[[], T]) -> T:
        return work()

    async def close(self) -> None:
        self._client.close()
