"""Builds what buys of suppliers: for lines of orders, and into stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from fulfillment.arrivals import routes as arrival_routes
from fulfillment.arrivals.jobs import Carrier
from fulfillment.arrivals.repository import ArrivalRepository
from fulfillment.arrivals.service import ArrivalService
from fulfillment.cases import routes as case_routes
from fulfillment.cases.repository import CaseRepository
from fulfillment.cases.service import CaseService
from fulfillment.manual_tasks.service import ManualTaskService
from fulfillment.procurement import routes as procurement_routes
from fulfillment.procurement.consumers import StockConsumers
from fulfillment.procurement.jobs import Buyer, Watcher
from fulfillment.procurement.repository import ProcurementRepository
from fulfillment.procurement.service import ProcurementService
from fulfillment.procurement_rules import routes as procurement_rule_routes
from fulfillment.procurement_rules.repository import RuleRepository
from fulfillment.procurement_rules.service import RuleService
from fulfillment.purchases import routes as purchase_routes
from fulfillment.purchases.domain import Limits
from fulfillment.purchases.jobs import Asker
from fulfillment.purchases.repository import PurchaseRepository
from fulfillment.purchases.service import PurchaseService
from fulfillment.routing.jobs import Pruner
from fulfillment.routing.repository import RoutingRepository
from fulfillment.routing.service import CircuitLimits, RoutingService
from fulfillment.settings import Settings
from fulfillment.supplier_products import routes as supplier_product_routes
from fulfillment.supplier_products.jobs import Looker
from fulfillment.supplier_products.repository import SupplierProductRepository
from fulfillment.supplier_products.service import SupplierProductService
from fulfillment.supplier_statements import routes as supplier_statement_routes
from fulfillment.supplier_statements.repository import StatementRepository
from fulfillment.supplier_statements.service import StatementService
from fulfillment.suppliers.service import SupplierService
from fulfillment.vault_stock import VaultStock
from kit.clock import SystemClock
from kit.db import Database
from kit.messaging.handlers import Handler, handles
from kit.periodic import Periodic
from lockstock.fulfillment.v1.purchase_events_pb2 import (
    CaseOpened,
    OfferPaused,
    OfferResumed,
    ProcurementEnded,
    ProcurementProposed,
    PurchaseMade,
    PurchaseStocked,
    StatementReconciled,
    SupplierAnswered,
)
from lockstock.inventory_vault.v1.stock_events_pb2 import StockLow, StockOut


@dataclass(frozen=True, slots=True)
class Buying:
    """What buys of suppliers."""

    purchases: PurchaseService
    offers: SupplierProductService
    routers: list[APIRouter]
    handlers: list[Handler]
    jobs: list[Periodic]
    state: Mapping[str, object]


BUYING_EVENTS = (
    CaseOpened,
    OfferPaused,
    OfferResumed,
    ProcurementEnded,
    ProcurementProposed,
    PurchaseMade,
    PurchaseStocked,
    StatementReconciled,
    SupplierAnswered,
)


def build_buying(
    settings: Settings,
    db: Database,
    vault: VaultStock,
    suppliers: SupplierService,
    manual_tasks: ManualTaskService,
) -> Buying:
    """Makes them."""
    lease = timedelta(seconds=settings.lease_seconds)
    cases = CaseService(CaseRepository())
    arrivals = ArrivalService(ArrivalRepository(), cases, vault, lease)
    pause = timedelta(seconds=settings.circuit_pause_seconds)
    routing = RoutingService(
        RoutingRepository(), CircuitLimits(settings.circuit_failures_min, pause)
    )
    purchases = _purchases(settings, suppliers, manual_tasks, arrivals, cases, routing)
    every = timedelta(seconds=settings.supplier_sync_seconds)
    offers = SupplierProductService(SupplierProductRepository(), routing, cases, every)
    look_every = timedelta(seconds=settings.procurement_check_seconds)
    rules = RuleService(RuleRepository(), look_every, lease)
    procurements = ProcurementService(
        ProcurementRepository(),
        rules,
        offers,
        purchases,
        arrivals,
        SystemClock(),
        lease,
    )
    poll = settings.dispatch_poll_seconds
    watcher = Periodic("watch-pools", 5 * poll, Watcher(db, rules, procurements, vault).run)
    stock = StockConsumers(rules, watcher.wake)
    return Buying(
        purchases=purchases,
        offers=offers,
        routers=[
            purchase_routes.router,
            supplier_product_routes.router,
            procurement_routes.router,
            arrival_routes.router,
            procurement_rule_routes.router,
            case_routes.router,
            supplier_statement_routes.router,
        ],
        handlers=[
            handles(StockLow, stock.on_stock_low),
            handles(StockOut, stock.on_stock_out),
        ],
        jobs=[
            watcher,
            Periodic("buy-into-stock", poll, Buyer(db, procurements).run),
            Periodic("carry-codes", poll, Carrier(db, arrivals).run),
            Periodic("ask-again", 5 * poll, Asker(db, purchases).run),
            Periodic("look-at-suppliers", 5 * poll, Looker(db, offers, suppliers).run),
            Periodic("prune-statistics", 3_600.0, Pruner(db, routing).run),
        ],
        state={
            "purchases": purchases,
            "cases": cases,
            "arrivals": arrivals,
            "supplier_products": offers,
            "procurements": procurements,
            "procurement_rules": rules,
            "supplier_statements": StatementService(StatementRepository(), cases),
        },
    )


def _purchases(
    settings: Settings,
    suppliers: SupplierService,
    manual_tasks: ManualTaskService,
    arrivals: ArrivalService,
    cases: CaseService,
    routing: RoutingService,
) -> PurchaseService:
    limits = Limits(
        unsent=timedelta(seconds=settings.supplier_unreachable_seconds_max),
        pause=timedelta(seconds=settings.supplier_pause_seconds_max),
    )
    return PurchaseService(
        PurchaseRepository(),
        suppliers,
        manual_tasks,
        arrivals,
        cases,
        routing,
        limits,
        timedelta(seconds=settings.supplier_patience_seconds),
    )
