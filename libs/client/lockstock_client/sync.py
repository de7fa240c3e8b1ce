"""The same client for programs without an event loop; `lockstock_client.blocking` says how."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from lockstock_client.audit import Audit
from lockstock_client.blocking import Blocking, Listing, run
from lockstock_client.books import Ledger
from lockstock_client.catalogue import Channels, Products
from lockstock_client.config import DEFAULT_BASE_URLS, Config
from lockstock_client.core import Core
from lockstock_client.delivery import BuyerPage, Deliveries
from lockstock_client.marketing import Recommendations, RestockRequests
from lockstock_client.orders import Orders, Payments
from lockstock_client.prices import Coupons, Quotes, Rules
from lockstock_client.reservations import Reservations
from lockstock_client.risk import Reviews
from lockstock_client.senders import BlockingSender, timeout_of
from lockstock_client.stock import Alarms, Lots, StockActions, Units
from lockstock_client.transport import Retry
from lockstock_client.vault import Imports, Pools
from lockstock_client.vouchers import Redemptions, Vouchers


@dataclass(frozen=True, slots=True)
class _Twin:
    """Runs the calls of `core`, one after the other."""

    core: Any


class SyncPools(_Twin):
    create = Blocking(Pools.create)
    change = Blocking(Pools.change)
    get = Blocking(Pools.get)
    all = Listing(Pools.all)
    named = Blocking(Pools.named)


class SyncImports(_Twin):
    send = Blocking(Imports.send)
    resume = Blocking(Imports.resume)
    send_sealed = Blocking(Imports.send_sealed)
    resume_sealed = Blocking(Imports.resume_sealed)
    get = Blocking(Imports.get)
    all = Listing(Imports.all)
    finished = Blocking(Imports.finished)


class SyncLots(_Twin):
    get = Blocking(Lots.get)
    conservation = Blocking(Lots.conservation)
    undo = Blocking(Lots.undo)
    activate = Blocking(Lots.activate)
    quarantine = Blocking(Lots.quarantine)
    restore = Blocking(Lots.restore)
    void = Blocking(Lots.void)


class SyncUnits(_Twin):
    get = Blocking(Units.get)
    all = Listing(Units.all)
    views = Blocking(Units.views)
    reveal = Blocking(Units.reveal)
    activate = Blocking(Units.activate)
    quarantine = Blocking(Units.quarantine)
    restore = Blocking(Units.restore)
    void = Blocking(Units.void)


class SyncReservations(_Twin):
    reserve = Blocking(Reservations.reserve)
    get = Blocking(Reservations.get)
    extend = Blocking(Reservations.extend)
    claim = Blocking(Reservations.claim)
    release = Blocking(Reservations.release)


class SyncStockActions(_Twin):
    act = Blocking(StockActions.act)
    all = Listing(StockActions.all)


class SyncAlarms(_Twin):
    all = Listing(Alarms.all)
    close = Blocking(Alarms.close)


class SyncVouchers(_Twin):
    generate = Blocking(Vouchers.generate)
    set_terms = Blocking(Vouchers.set_terms)
    terms = Blocking(Vouchers.terms)


class SyncRedemptions(_Twin):
    redeem = Blocking(Redemptions.redeem)
    rollback = Blocking(Redemptions.rollback)
    get = Blocking(Redemptions.get)
    all = Listing(Redemptions.all)
    balance = Blocking(Redemptions.balance)


class SyncAudit(_Twin):
    entries = Listing(Audit.entries)
    checkpoint = Blocking(Audit.checkpoint)
    proof = Blocking(Audit.proof)
    consistency = Blocking(Audit.consistency)
    prove = Blocking(Audit.prove)


class SyncChannels(_Twin):
    create = Blocking(Channels.create)
    change = Blocking(Channels.change)
    get = Blocking(Channels.get)
    all = Listing(Channels.all)


class SyncProducts(_Twin):
    create = Blocking(Products.create)
    change = Blocking(Products.change)
    get = Blocking(Products.get)
    all = Listing(Products.all)


class SyncQuotes(_Twin):
    ask = Blocking(Quotes.ask)


class SyncRules(_Twin):
    create = Blocking(Rules.create)
    change = Blocking(Rules.change)
    get = Blocking(Rules.get)
    all = Listing(Rules.all)


class SyncCoupons(SyncRules):
    make_codes = Blocking(Coupons.make_codes)
    codes = Listing(Coupons.codes)


class SyncRecommendations(_Twin):
    for_product = Blocking(Recommendations.for_product)
    for_order = Blocking(Recommendations.for_order)


class SyncRestockRequests(_Twin):
    add = Blocking(RestockRequests.add)
    all = Listing(RestockRequests.all)
    mark_sent = Blocking(RestockRequests.mark_sent)
    withdraw = Blocking(RestockRequests.withdraw)


class SyncOrders(_Twin):
    place = Blocking(Orders.place)
    get = Blocking(Orders.get)
    all = Listing(Orders.all)
    search = Listing(Orders.search)
    export = Listing(Orders.export)
    exports = Listing(Orders.exports)
    entries = Listing(Orders.entries)
    timeline = Blocking(Orders.timeline)
    cancel = Blocking(Orders.cancel)
    refund = Blocking(Orders.refund)
    refunds = Listing(Orders.refunds)
    until = Blocking(Orders.until)
    until_assessed = Blocking(Orders.until_assessed)


class SyncPayments(_Twin):
    tell = Blocking(Payments.tell)


class SyncDeliveries(_Twin):
    get = Blocking(Deliveries.get)
    of_order = Listing(Deliveries.of_order)


class SyncReviews(_Twin):
    all = Listing(Reviews.all)
    approve = Blocking(Reviews.approve)
    decline = Blocking(Reviews.decline)


class SyncLedger(_Twin):
    trial_balance = Blocking(Ledger.trial_balance)
    transactions = Listing(Ledger.transactions)


class SyncBuyerPage(_Twin):
    reveal = Blocking(BuyerPage.reveal)


class SyncLockstock:
    """A blocking client: every method of `Lockstock`, without await.

    with SyncLockstock(api_key, base_urls) as shop:
        order = shop.orders.place(channel_id, "10001", {"id": "buyer-1"}, lines)
        for entry in shop.orders.entries(order["id"]): ...
    """

    def __init__(
        self,
        api_key: str,
        base_urls: Mapping[str, str] = DEFAULT_BASE_URLS,
        *,
        retry: Retry | None = None,
        timeout_seconds: float | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        sender = BlockingSender(transport, timeout_of(timeout_seconds))
        self.core = core = Core(sender, api_key, base_urls, retry)
        self.pools = SyncPools(core.pools)
        self.imports = SyncImports(core.imports)
        self.lots = SyncLots(core.lots)
        self.units = SyncUnits(core.units)
        self.reservations = SyncReservations(core.reservations)
        self.stock_actions = SyncStockActions(core.stock_actions)
        self.alarms = SyncAlarms(core.alarms)
        self.vouchers = SyncVouchers(core.vouchers)
        self.redemptions = SyncRedemptions(core.redemptions)
        self.audit = SyncAudit(core.audit)
        self.channels = SyncChannels(core.channels)
        self.products = SyncProducts(core.products)
        self.quotes = SyncQuotes(core.quotes)
        self.promotions = SyncRules(core.promotions)
        self.price_lists = SyncRules(core.price_lists)
        self.coupons = SyncCoupons(core.coupons)
        self.recommendations = SyncRecommendations(core.recommendations)
        self.restock_requests = SyncRestockRequests(core.restock_requests)
        self.orders = SyncOrders(core.orders)
        self.payments = SyncPayments(core.payments)
        self.deliveries = SyncDeliveries(core.deliveries)
        self.reviews = SyncReviews(core.reviews)
        self.ledger = SyncLedger(core.ledger)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """As the command line is told, see `lockstock_client.config`."""
        return cls(config.api_key, config.base_urls)

    def buyer_page(self, url: str) -> SyncBuyerPage:
        """The page behind a delivery's link."""
        return SyncBuyerPage(self.core.buyer_page(url))

    def close(self) -> None:
        """Ends all connections."""
        run(self.core.sender.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()
