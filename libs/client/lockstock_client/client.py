"""The whole set behind one object."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from lockstock_client.config import DEFAULT_BASE_URLS, Config
from lockstock_client.core import Core
from lockstock_client.senders import AsyncSender, timeout_of
from lockstock_client.transport import Retry


class Lockstock(Core):
    """An asynchronous client:

    async with Lockstock(api_key, base_urls) as shop:
        order = await shop.orders.place(channel_id, "10001", {"id": "buyer-1"}, lines)

    Calls that act carry an Idempotency-Key of their own, and every call is repeated a bounded
    number of times when nobody answers or the service asks to wait. `base_urls` maps service names
    to URLs (default: those of `make run`); `timeout_seconds` bounds the wait for each answer;
    `transport` replaces the network. `SyncLockstock` is the same for programs without a loop.
    """

    def __init__(
        self,
        api_key: str,
        base_urls: Mapping[str, str] = DEFAULT_BASE_URLS,
        *,
        retry: Retry | None = None,
        timeout_seconds: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        sender = AsyncSender(transport, timeout_of(timeout_seconds))
        super().__init__(sender, api_key, base_urls, retry)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """As the command line is told, see `lockstock_client.config`."""
        return cls(config.api_key, config.base_urls)

    async def close(self) -> None:
        """Ends all connections."""
        await self.sender.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.close()
