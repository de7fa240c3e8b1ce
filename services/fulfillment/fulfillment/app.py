"""Builds the service: the only place that makes objects."""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import timedelta
from itertools import chain

import httpx

from fulfillment.after_sales import after_sales
from fulfillment.buyers_page import build_buyers_page
from fulfillment.buying import BUYING_EVENTS, build_buying
from fulfillment.deliveries import routes as delivery_routes
from fulfillment.deliveries.consumers import OrderConsumers
from fulfillment.deliveries.repository import DeliveryRepository
from fulfillment.deliveries.service import DeliveryService, FirstTry
from fulfillment.fulfilling import build_fulfilling
from fulfillment.links import PageLinks
from fulfillment.loading import Parts, load_connectors, load_kinds
from fulfillment.manual_tasks import routes as manual_task_routes
from fulfillment.manual_tasks.repository import ManualTaskRepository
from fulfillment.manual_tasks.service import ManualTaskService
from fulfillment.outside import Outside
from fulfillment.safe import Safe
from fulfillment.settings import Settings
from fulfillment.supplier_callbacks import routes as supplier_callback_routes
from fulfillment.supplier_callbacks.repository import CallbackRepository
from fulfillment.supplier_callbacks.service import CallbackService
from fulfillment.supplier_statements.routes import BODY_BYTES_MAX as STATEMENT_BYTES_MAX
from fulfillment.supplier_statements.routes import PATH as STATEMENTS_PATH
from fulfillment.suppliers import routes as supplier_routes
from fulfillment.suppliers.repository import SupplierRepository
from fulfillment.suppliers.service import SupplierService
from fulfillment.tables import metadata
from fulfillment.tasks.jobs import Dispatcher
from fulfillment.tasks.repository import TaskRepository
from fulfillment.tasks.service import TaskService
from fulfillment.telling import ROUTERS as TELLING_ROUTERS
from fulfillment.telling import build_telling
from fulfillment.vault import Vault
from fulfillment.vault_stock import VaultStock
from fulfillment.webhook_deliveries import routes as webhook_delivery_routes
from fulfillment.webhook_endpoints import routes as webhook_endpoint_routes
from fulfillment.webhooks import build_webhooks
from kit.keys import replica_handlers
from kit.messaging.handlers import handles
from kit.peers import Peer
from kit.periodic import Periodic
from kit.service import Service, open_database, service_tokens
from lockstock.fulfillment.v1.challenge_events_pb2 import ChallengeNotSent, ChallengeSent
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed, LineUnknown
from lockstock.fulfillment.v1.page_events_pb2 import PageLinkChanged
from lockstock.fulfillment.v1.webhook_events_pb2 import WebhookEndpointDisabled
from lockstock.order.v1.order_events_pb2 import (
    FulfillmentRequested,
    OrderPartiallyCompleted,
    OrderRefunded,
    RefundMade,
)

DESCRIPTION = """Deliveries of paid orders, and the page on which a buyer opens them.

A delivery is one order line. Its units are shown masked; the buyer's page (`GET /d/{token}`) opens
one at a time, inside the browser, and every view is logged by the vault."""


def create_service(
    settings: Settings,
    *,
    vault_transport: httpx.AsyncBaseTransport | None = None,
    order_transport: httpx.AsyncBaseTransport | None = None,
) -> Service:
    """The transports replace the network between this service and the vault or order."""
    db = open_database(settings)
    peer = Peer(
        settings.vault_url,
        service=settings.service,
        tokens=service_tokens(settings),
        timeout_seconds=settings.vault_timeout_seconds,
        transport=vault_transport,
    )
    vault = Vault(peer)
    links = PageLinks(settings.public_url, settings.link_secret.get_secret_value())
    safe = Safe(settings.safe_key.get_secret_value())
    outside = Outside(
        allow_private=settings.supplier_private_addresses, ports=settings.outside_port_numbers
    )
    suppliers = SupplierService(
        SupplierRepository(safe),
        load_connectors(settings.connector_names, outside),
        f"{settings.public_url.rstrip('/')}/v1/supplier-callbacks",
    )
    manual_tasks = ManualTaskService(ManualTaskRepository(safe))
    buying = build_buying(settings, db, VaultStock(peer), suppliers, manual_tasks)
    purchases = buying.purchases
    fulfilling = build_fulfilling(settings, safe, outside, manual_tasks)
    kinds = load_kinds(Parts(db, vault, purchases, manual_tasks, fulfilling.calls, buying.offers))
    deliveries = DeliveryService(DeliveryRepository(safe), links, kinds)
    telling = build_telling(settings, db, safe, outside, deliveries, vault)
    tasks = TaskService(
        TaskRepository(safe),
        deliveries,
        telling.messages,
        lease=timedelta(seconds=settings.lease_seconds),
        pause_max=timedelta(seconds=settings.dispatch_pause_seconds_max),
    )
    after = after_sales(settings, db, vault, telling.messages, links)
    page = build_buyers_page(
        settings, deliveries, links, vault, telling.one_time_codes, after.claims, order_transport
    )
    dispatchers = {
        name: _dispatchers(settings, Dispatcher(db, tasks, kind, settings.dispatch_batch_max))
        for name, kind in kinds.items()
    }
    orders = OrderConsumers(
        deliveries,
        FirstTry(kinds),
        tasks.tell,
        telling.contacts,
        telling.messages,
        _waking(dispatchers),
        link_life=timedelta(days=settings.link_days),
    )
    webhooks = build_webhooks(settings, db, safe, outside)
    return Service(
        settings=settings,
        package="fulfillment",
        title="Lockstock fulfillment",
        description=DESCRIPTION,
        db=db,
        metadata=metadata,
        routers=[
            delivery_routes.router,
            *page.routers,
            supplier_routes.router,
            supplier_callback_routes.router,
            manual_task_routes.router,
            *fulfilling.routers,
            webhook_endpoint_routes.router,
            webhook_delivery_routes.router,
            *buying.routers,
            *after.routers,
            *TELLING_ROUTERS,
        ],
        handlers=[
            handles(
                FulfillmentRequested,
                orders.on_fulfillment_requested,
                before=orders.before_fulfillment_requested,
            ),
            handles(OrderPartiallyCompleted, orders.on_order_partially_completed),
            handles(OrderRefunded, orders.on_order_refunded),
            handles(RefundMade, orders.on_refund_made),
            *buying.handlers,
            *after.handlers,
            *replica_handlers(),
            *telling.handlers,
            *webhooks.handlers,
        ],
        jobs=[
            *chain(*dispatchers.values()),
            *telling.jobs,
            *buying.jobs,
            *webhooks.jobs,
            *after.jobs,
        ],
        publishes=[
            LineDelivered,
            LineFailed,
            LineUnknown,
            PageLinkChanged,
            WebhookEndpointDisabled,
            ChallengeSent,
            ChallengeNotSent,
            *BUYING_EVENTS,
            *after.publishes,
        ],
        large_bodies={STATEMENTS_PATH: STATEMENT_BYTES_MAX},
        state={
            "deliveries": deliveries,
            "tasks": tasks,
            "suppliers": suppliers,
            "supplier_callbacks": CallbackService(CallbackRepository(), suppliers, purchases),
            "manual_tasks": manual_tasks,
            **fulfilling.state,
            **telling.state,
            **page.state,
            **webhooks.state,
            **buying.state,
            **after.state,
        },
        closing=[
            peer.close,
            page.close,
            outside.close,
            purchases.close,
            fulfilling.calls.close,
            webhooks.sender.close,
        ],
    )


def _dispatchers(settings: Settings, dispatcher: Dispatcher) -> list[Periodic]:
    """One for each round that may be under way: they take their tasks side by side."""
    name, every = f"dispatch-{dispatcher.kind}", settings.dispatch_poll_seconds
    return [Periodic(name, every, dispatcher.run) for _ in range(dispatcher.rounds_max)]


def _waking(jobs: Mapping[str, Sequence[Periodic]]) -> Callable[[Set[str]], None]:
    def wake(kinds: Set[str]) -> None:
        for job in chain(*(jobs[kind] for kind in kinds)):
            job.wake()

    return wake
