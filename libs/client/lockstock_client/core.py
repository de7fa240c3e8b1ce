"""The whole set over one Sender: what the asynchronous and the blocking client have in common."""

from collections.abc import Mapping

from lockstock_client.audit import Audit
from lockstock_client.books import Ledger
from lockstock_client.catalogue import Channels, Products
from lockstock_client.config import DEFAULT_BASE_URLS
from lockstock_client.delivery import BuyerPage, Deliveries
from lockstock_client.marketing import Recommendations, RestockRequests
from lockstock_client.orders import Orders, Payments
from lockstock_client.prices import Coupons, Quotes, Rules
from lockstock_client.reservations import Reservations
from lockstock_client.risk import Reviews
from lockstock_client.senders import Sender
from lockstock_client.stock import Alarms, Lots, StockActions, Units
from lockstock_client.transport import Retry, Service
from lockstock_client.vault import Imports, Pools
from lockstock_client.vouchers import Redemptions, Vouchers


class Core:
    """Every group of calls, for one API key."""

    def __init__(
        self, sender: Sender, api_key: str, base_urls: Mapping[str, str], retry: Retry | None
    ) -> None:
        self.sender = sender
        self._retry = retry or Retry()
        self._services = {
            name: Service(sender, url, api_key, self._retry)
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
        self.quotes = Quotes(order)
        self.promotions = Rules(order, "/v1/promotions")
        self.price_lists = Rules(order, "/v1/price-lists")
        self.coupons = Coupons(order, "/v1/coupons")
        self.recommendations = Recommendations(order)
        self.restock_requests = RestockRequests(order)
        self.orders = Orders(order)
        self.payments = Payments(order)
        self.deliveries = Deliveries(self.service("fulfillment"))
        self.reviews = Reviews(self.service("risk"))
        self.ledger = Ledger(self.service("ledger"))

    def service(self, name: str) -> Service:
        """One service itself, for calls that have no method here."""
        return self._services[name]

    def buyer_page(self, url: str) -> BuyerPage:
        """The page behind a delivery's link."""
        return BuyerPage(Service(self.sender, url, "", self._retry))
