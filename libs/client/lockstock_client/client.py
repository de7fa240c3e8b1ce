"""The whole set behind one object."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from lockstock_client.audit import Audit
from lockstock_client.books import Ledger
from lockstock_client.config import DEFAULT_BASE_URLS, Config
from lockstock_client.delivery import BuyerPage, Deliveries
from lockstock_client.reservations import Reservations
from lockstock_client.risk import Reviews
from lockstock_client.shop import Channels, Orders, Payments, Products
from lockstock_client.stock import Alarms, Lots, StockActions, Units
from lockstock_client.transport import Retry, Service, new_http_client
from lockstock_client.vault import Imports, Pools
from lockstock_client.vouchers import Redemptions, Vouchers


class Lockstock:
    """An asynchronous client:

    async with Lockstock(api_key, base_urls) as shop:
        order = await shop.orders.place(channel_id, "10001", {"id": "buyer-1"}, lines)

    Calls that act carry an Idempotency-Key of their own, and every call is repeated a bounded
    number of times when nobody answers or the service asks to wait. `base_urls` maps service names
    to URLs (default: those of `make run`); `transport` replaces the network.
    """

    def __init__(
        self,
        api_key: str,
        base_urls: Mapping[str, str] = DEFAULT_BASE_URLS,
        *,
        retry: Retry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = new_http_client(transport)
        self._retry = retry or Retry()
        self._services = {
            name: Service(self._client, url, api_key, self._retry)
            for name, url in {**DEFAULT_BASE_URLS, **base_urls}.items()
        }
        vault, order = self.service("inventory-vault"), self.service("order")
        self.pools = Pools(vault)
        self.imports = Imports(vault)
        self.lots = Lots(vault)
        self.units = Units(vault)
        self.reservations = Reservations(vault)
        self.stock_actions = StockActions(vault)
        self.alarms = Alarms(vault)
        self.vouchers = Vouchers(vault, self.imports)
        self.redemptions = Redemptions(vault)
        self.audit = Audit(vault)
        self.channels = Channels(order)
        self.products = Products(order)
        self.orders = Orders(order)
        self.payments = Payments(order)
        self.deliveries = Deliveries(self.service("fulfillment"))
        self.reviews = Reviews(self.service("risk"))
        self.ledger = Ledger(self.service("ledger"))

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """As the command line is told, see `lockstock_client.config`."""
        return cls(config.api_key, config.base_urls)

    def service(self, name: str) -> Service:
        """One service itself, for calls that have no method here."""
        return self._services[name]

    def buyer_page(self, url: str) -> BuyerPage:
        """The page behind a delivery's link."""
        return BuyerPage(Service(self._client, url, "", self._retry))

    async def close(self) -> None:
        """Ends all connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.close()
