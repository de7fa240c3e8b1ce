"""Composition: the only place that builds this service's objects."""

import httpx

from kit.peers import Peer
from kit.service import Service, open_database, service_tokens
from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from order.api_keys import routes as api_key_routes
from order.api_keys import tables as api_key_tables
from order.catalogue import routes as catalogue_routes
from order.catalogue import tables as catalogue_tables
from order.contacts import ContactHasher
from order.merchants import routes as merchant_routes
from order.merchants import tables as merchant_tables
from order.orders import routes as order_routes
from order.orders import tables as order_tables
from order.payments import jobs as payment_jobs
from order.payments import routes as payment_routes
from order.payments import tables as payment_tables
from order.payments.service import PaymentService
from order.placing import routes as placing_routes
from order.placing.service import PlacingService
from order.provider import load_providers
from order.refunds import routes as refund_routes
from order.refunds import tables as refund_tables
from order.saga import consumers as saga_consumers
from order.saga import jobs as saga_jobs
from order.saga import routes as saga_routes
from order.search import routes as search_routes
from order.search import tables as search_tables
from order.search.service import SearchService
from order.settings import Settings
from order.step_kinds import Outside, load_kinds
from order.steps import jobs as step_jobs
from order.steps import tables as step_tables
from order.tables import metadata
from order.timeline import tables as timeline_tables
from order.vault import Vault

DESCRIPTION = """Merchants, channels, API keys, catalogue, orders and payments.

Place an order (`POST /v1/orders`), pay it, read its timeline. Money is in minor units, ids are
UUIDv7, errors are `application/problem+json`. Every POST takes an `Idempotency-Key`."""

# Importing a tables module is what adds its tables to the metadata.
TABLES = (
    api_key_tables,
    catalogue_tables,
    merchant_tables,
    order_tables,
    payment_tables,
    refund_tables,
    search_tables,
    step_tables,
    timeline_tables,
)


def create_service(
    settings: Settings, *, vault_transport: httpx.AsyncBaseTransport | None = None
) -> Service:
    """The service; `vault_transport` lets a test put the vault's app in place of the network."""
    db = open_database(settings)
    peer = Peer(
        settings.vault_url,
        service=settings.service,
        tokens=service_tokens(settings),
        timeout_seconds=settings.vault_timeout_seconds,
        transport=vault_transport,
    )
    vault = Vault(peer)
    providers = load_providers(settings.provider_names)
    kinds = load_kinds(Outside(db, vault, providers))
    payments = PaymentService(providers)
    placing = PlacingService(
        db,
        vault,
        payments,
        pay_seconds=settings.pay_seconds,
        hold_grace_seconds=settings.hold_grace_seconds,
    )
    return Service(
        settings=settings,
        package="order",
        title="Lockstock order",
        description=DESCRIPTION,
        db=db,
        metadata=metadata,
        routers=[
            merchant_routes.router,
            api_key_routes.router,
            catalogue_routes.router,
            placing_routes.router,
            search_routes.router,
            order_routes.router,
            payment_routes.router,
            refund_routes.router,
            saga_routes.router,
        ],
        handlers=saga_consumers.handlers(),
        jobs=[
            saga_jobs.expire_unpaid(db, every_seconds=settings.expire_every_seconds),
            payment_jobs.pay_back(db, providers, every_seconds=settings.pay_back_every_seconds),
            step_jobs.make_steps(
                db,
                kinds,
                every_seconds=settings.steps_every_seconds,
                lease_seconds=settings.steps_lease_seconds,
            ),
        ],
        publishes=[OrderPlaced, ApiKeyChanged],
        state={
            "placing": placing,
            "search": SearchService(db),
            "place_together": placing_routes.place_together(db, placing),
            "pay_together": payment_routes.pay_together(db, payments),
            "contacts": ContactHasher(settings.contact_key.get_secret_value()),
        },
        closing=[peer.close],
    )
