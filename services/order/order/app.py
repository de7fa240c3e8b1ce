"""Composition: the only place that builds this service's objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from kit.db import Database
from kit.peers import Peer
from kit.periodic import Periodic
from kit.service import Service, open_database, service_tokens
from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged
from lockstock.order.v1.challenge_events_pb2 import ChallengeRequested
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from lockstock.order.v1.restock_events_pb2 import RestockNoticeDue
from order.account_secrets import AccountSecrets
from order.api_keys import routes as api_key_routes
from order.api_keys import tables as api_key_tables
from order.callbacks import jobs as callback_jobs
from order.callbacks import routes as callback_routes
from order.callbacks import tables as callback_tables
from order.callbacks.service import CallbackService
from order.catalogue import routes as catalogue_routes
from order.catalogue import tables as catalogue_tables
from order.chargebacks import routes as chargeback_routes
from order.checkouts import routes as checkout_routes
from order.checkouts import tables as checkout_tables
from order.checkouts.service import CheckoutService, ThroughAccounts
from order.claims import consumers as claim_consumers
from order.contact_hashes import routes as contact_hash_routes
from order.contacts import ContactBox, ContactHasher
from order.coupons import routes as coupon_routes
from order.coupons import tables as coupon_tables
from order.coupons.domain import CodeKeeper
from order.deliveries import tables as delivery_tables
from order.failed_payments import routes as failed_routes
from order.failed_payments import tables as failed_tables
from order.limits import jobs as limit_jobs
from order.limits import tables as limit_tables
from order.margins import routes as margin_routes
from order.margins.service import MarginService
from order.merchants import routes as merchant_routes
from order.merchants import tables as merchant_tables
from order.orders import routes as order_routes
from order.orders import tables as order_tables
from order.outbound import Connection
from order.payment_accounts import jobs as account_jobs
from order.payment_accounts import routes as account_routes
from order.payment_accounts import tables as account_tables
from order.payment_accounts.service import PaymentAccounts
from order.payments import jobs as payment_jobs
from order.payments import routes as payment_routes
from order.payments import tables as payment_tables
from order.payments.service import PaymentService
from order.placing import routes as placing_routes
from order.placing.service import PlacingService
from order.pool_costs import PoolCosts
from order.price_lists import routes as price_list_routes
from order.price_rules import tables as price_rule_tables
from order.prices.service import PriceReader
from order.product_files import routes as product_file_routes
from order.product_files.domain import FILE_BYTES_MAX
from order.promotions import routes as promotion_routes
from order.provider import HasAccounts, Loaded, Provider, RefundsThroughAccounts, load_providers
from order.quotes import routes as quote_routes
from order.quotes.service import QuoteService
from order.recommendations import jobs as recommendation_jobs
from order.recommendations import routes as recommendation_routes
from order.recommendations import tables as recommendation_tables
from order.recommendations.domain import Rule
from order.refunds import routes as refund_routes
from order.refunds import tables as refund_tables
from order.restock import jobs as restock_jobs
from order.restock import routes as restock_routes
from order.restock import tables as restock_tables
from order.risk import Risk
from order.risk_defaults import jobs as risk_default_jobs
from order.saga import consumers as saga_consumers
from order.saga import jobs as saga_jobs
from order.saga import routes as saga_routes
from order.search import routes as search_routes
from order.search import tables as search_tables
from order.search.service import SearchService
from order.settings import Settings
from order.shortages import routes as shortage_routes
from order.step_kinds import Outside, StepKind, load_kinds
from order.steps import jobs as step_jobs
from order.steps import tables as step_tables
from order.stock import consumers as stock_consumers
from order.stock import jobs as stock_jobs
from order.stock import tables as stock_tables
from order.tables import metadata
from order.timeline import tables as timeline_tables
from order.vault import Vault
from order.waits import jobs as wait_jobs
from order.waits import routes as wait_routes
from order.waits.service import WaitService

DESCRIPTION = """Merchants, channels, API keys, catalogue, orders and payments.

Place an order (`POST /v1/orders`), pay it, read its timeline. Money is in minor units, ids are
UUIDv7, errors are `application/problem+json`. Every POST takes an `Idempotency-Key`."""

EVENTS_PATIENCE_SECONDS = 0.1
"""A buyer's key is ready before order hears of it, and who pays waits for no event: what risk says
of an order that arrives paid is asked for.
"""

# Importing a tables module is what adds its tables to the metadata.
TABLES = (
    account_tables,
    api_key_tables,
    callback_tables,
    catalogue_tables,
    checkout_tables,
    limit_tables,
    coupon_tables,
    delivery_tables,
    failed_tables,
    merchant_tables,
    order_tables,
    payment_tables,
    price_rule_tables,
    recommendation_tables,
    refund_tables,
    restock_tables,
    search_tables,
    step_tables,
    stock_tables,
    timeline_tables,
)

# The first that fits takes a path: files and searches before what reads one thing by its id.
ROUTERS = (
    merchant_routes.router,
    api_key_routes.router,
    product_file_routes.router,
    catalogue_routes.router,
    shortage_routes.router,
    price_list_routes.router,
    promotion_routes.router,
    coupon_routes.router,
    margin_routes.router,
    quote_routes.router,
    placing_routes.router,
    search_routes.router,
    order_routes.router,
    recommendation_routes.router,
    restock_routes.router,
    payment_routes.router,
    failed_routes.router,
    refund_routes.router,
    chargeback_routes.router,
    account_routes.router,
    checkout_routes.router,
    contact_hash_routes.router,
    callback_routes.router,
    saga_routes.router,
    wait_routes.router,
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the service is made of."""

    settings: Settings
    db: Database
    peer: Peer
    risk_peer: Peer | None
    vault: Vault
    connections: Mapping[str, Connection]
    accounts: PaymentAccounts
    providers: Mapping[str, Provider]
    kinds: Mapping[str, StepKind]
    waits: WaitService
    payments: PaymentService
    callbacks: CallbackService
    codes: CodeKeeper
    placing: PlacingService


def create_service(
    settings: Settings,
    *,
    vault_transport: httpx.AsyncBaseTransport | None = None,
    risk_transport: httpx.AsyncBaseTransport | None = None,
) -> Service:
    """The service; the transports let a test put the vault's app, or risk's, in place of the
    network.
    """
    parts = _build(settings, vault_transport, risk_transport)
    return Service(
        settings=settings,
        package="order",
        title="Lockstock order",
        description=DESCRIPTION,
        db=parts.db,
        metadata=metadata,
        routers=ROUTERS,
        handlers=[
            *saga_consumers.handlers(),
            *claim_consumers.handlers(),
            *stock_consumers.handlers(),
        ],
        patience=EVENTS_PATIENCE_SECONDS,
        jobs=[*_looking_jobs(parts), *_calling_jobs(parts)],
        publishes=[OrderPlaced, ChallengeRequested, ApiKeyChanged, RestockNoticeDue],
        state=_state(parts),
        large_bodies={"/v1/products/csv": FILE_BYTES_MAX},
        closing=[
            parts.peer.close,
            *([parts.risk_peer.close] if parts.risk_peer else []),
            *(connection.close for connection in parts.connections.values()),
        ],
    )


def _build(
    settings: Settings,
    vault_transport: httpx.AsyncBaseTransport | None,
    risk_transport: httpx.AsyncBaseTransport | None,
) -> _Parts:
    db = open_database(settings, guards_merchants=True)
    peer = Peer(
        settings.vault_url,
        service=settings.service,
        tokens=service_tokens(settings),
        timeout_seconds=settings.vault_timeout_seconds,
        transport=vault_transport,
    )
    vault = Vault(peer)
    loaded = load_providers(settings.provider_names)
    connections = _connections(settings, loaded)
    accounts = PaymentAccounts(
        loaded,
        AccountSecrets(settings.account_key.get_secret_value()),
        connections,
        public_url=settings.public_url,
    )
    providers = _with_accounts(db, accounts, loaded)
    codes = CodeKeeper(settings.contact_key.get_secret_value())
    prices, margins = PriceReader(codes), MarginService(PoolCosts(peer))
    kinds = load_kinds(Outside(db, vault, providers, prices, margins))
    payments = PaymentService(providers, late_within=timedelta(hours=settings.late_payment_hours))
    risk_peer = _risk_peer(settings, risk_transport)
    placing = PlacingService(
        db,
        vault,
        Risk(risk_peer),
        payments,
        prices,
        margins,
        pay_seconds=settings.pay_seconds,
        hold_grace_seconds=settings.hold_grace_seconds,
    )
    return _Parts(
        settings=settings,
        db=db,
        peer=peer,
        risk_peer=risk_peer,
        vault=vault,
        connections=connections,
        accounts=accounts,
        providers=providers,
        kinds=kinds,
        waits=WaitService(kinds, silence=timedelta(seconds=settings.silence_seconds)),
        payments=payments,
        callbacks=CallbackService(db, accounts, payments),
        codes=codes,
        placing=placing,
    )


def _risk_peer(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> Peer | None:
    if not settings.risk_url:
        return None
    return Peer(
        settings.risk_url,
        service=settings.service,
        tokens=service_tokens(settings),
        timeout_seconds=settings.risk_timeout_seconds,
        transport=transport,
    )


def _state(parts: _Parts) -> dict[str, Any]:
    """What routes find in `app.state`, by name."""
    settings, db, placing = parts.settings, parts.db, parts.placing
    return {
        "placing": placing,
        "waits": parts.waits,
        "search": SearchService(db),
        "quotes": QuoteService(placing),
        "coupon_codes": parts.codes,
        "contact_box": ContactBox(settings.contact_key.get_secret_value()),
        "recommendation_rule": Rule(settings.recommendation_days, settings.recommendation_support),
        "place_together": placing_routes.place_together(db, placing),
        "payments": parts.payments,
        "pay_together": payment_routes.pay_together(db, parts.payments),
        "payment_accounts": parts.accounts,
        "checkouts": CheckoutService(
            db,
            parts.accounts,
            public_url=settings.public_url,
            last_ask_seconds=settings.last_ask_seconds,
        ),
        "callbacks": parts.callbacks,
        "contacts": ContactHasher(settings.contact_key.get_secret_value()),
    }


def _calling_jobs(parts: _Parts) -> list[Periodic]:
    """The timers that call others, and the one that sees who is silent."""
    settings, db = parts.settings, parts.db
    return [
        payment_jobs.pay_back(db, parts.providers, every_seconds=settings.pay_back_every_seconds),
        step_jobs.make_steps(
            db,
            parts.kinds,
            every_seconds=settings.steps_every_seconds,
            lease_seconds=settings.steps_lease_seconds,
        ),
        callback_jobs.ask_for_payments(
            db,
            parts.callbacks,
            every_seconds=settings.ask_every_seconds,
            last_ask_seconds=settings.last_ask_seconds,
        ),
        account_jobs.reseal_accounts(db, parts.accounts),
        wait_jobs.watch_waits(db, parts.waits, every_seconds=settings.waits_every_seconds),
    ]


def _connections(settings: Settings, providers: Mapping[str, Loaded]) -> dict[str, Connection]:
    """The way out of each provider that has accounts. Raises ValueError for an unfit URL."""
    return {
        name: Connection(
            settings.urls_of_providers.get(name, provider.default_url),
            answer_seconds=settings.provider_timeout_seconds,
        )
        for name, provider in providers.items()
        if isinstance(provider, HasAccounts)
    }


def _with_accounts(
    db: Database, accounts: PaymentAccounts, loaded: Mapping[str, Loaded]
) -> dict[str, Provider]:
    """Each as something that gives money back. Raises TypeError for one that cannot."""
    providers: dict[str, Provider] = {}
    for name, provider in loaded.items():
        if isinstance(provider, RefundsThroughAccounts):
            providers[name] = ThroughAccounts(db, accounts, provider)
        elif isinstance(provider, Provider):
            providers[name] = provider
        else:
            raise TypeError(f"payment provider {name} cannot give money back")
    return providers


def _looking_jobs(parts: _Parts) -> list[Periodic]:
    """The timers that only look at the database and the vault's stock."""
    settings, db = parts.settings, parts.db
    return [
        limit_jobs.prune_limit_uses(db),
        saga_jobs.expire_unpaid(db, every_seconds=settings.expire_every_seconds),
        risk_default_jobs.apply_risk_defaults(db, every_seconds=settings.expire_every_seconds),
        stock_jobs.ask_for_stock(
            db,
            parts.vault,
            every_seconds=settings.restock_every_seconds,
            ask_seconds=settings.restock_ask_seconds,
        ),
        restock_jobs.tell_due(db, every_seconds=settings.restock_every_seconds),
        restock_jobs.lapse(db, days=settings.restock_days),
        recommendation_jobs.count_pairs(db),
        recommendation_jobs.prune_pairs(db, window_days=settings.recommendation_days),
    ]
