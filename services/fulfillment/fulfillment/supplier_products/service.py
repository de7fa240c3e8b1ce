"""Offers: set up by people, kept true by suppliers' lists, paused when they cost too much."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.cases.domain import Case
from fulfillment.cases.service import CaseService
from fulfillment.connector import Article
from fulfillment.routing.domain import Candidate, OfferKey, Record
from fulfillment.routing.service import RoutingService
from fulfillment.supplier_products import domain, events
from fulfillment.supplier_products.domain import (
    NOT_LISTED,
    Known,
    OfferIsNothing,
    OfferQuantities,
    SupplierProduct,
    SupplierProductNotFound,
    Sync,
)
from fulfillment.supplier_products.repository import SupplierProductRepository
from kit.db import Transaction
from kit.ids import new_id
from kit.logging import get_logger
from kit.messaging import outbox
from kit.money import Money

log = get_logger(__name__)

OFFERS_MAX = 100
"""Offers of one product that are weighed against each other."""
LIST_NOT_BELIEVED = "list_not_believed"


class SupplierProductService:
    """`every`: how long after a good look at an account the next one is due."""

    def __init__(
        self,
        repository: SupplierProductRepository,
        routing: RoutingService,
        cases: CaseService,
        every: timedelta,
    ) -> None:
        self._repository = repository
        self._routing = routing
        self._cases = cases
        self._every = every

    async def create(self, tx: Transaction, product: SupplierProduct) -> SupplierProduct:
        """Raises SupplierProductTaken, OfferOfUnknownSupplier, OfferIsNothing, OfferQuantities."""
        _check(product)
        return await self._repository.add(tx, product)

    async def change(
        self,
        tx: Transaction,
        merchant_id: UUID,
        product_id: UUID,
        values: Mapping[str, Any],
        *,
        accept_cost: bool,
    ) -> SupplierProduct:
        """With these values replaced, and judged anew. `accept_cost`: the price of now is all
        right, however far it moved. Raises SupplierProductNotFound, OfferIsNothing,
        OfferQuantities.
        """
        found = await self._repository.find(tx, merchant_id, product_id, lock=True)
        if found is None:
            raise SupplierProductNotFound
        changed = replace(found, **values)
        if accept_cost:
            changed = replace(changed, cost_accepted_minor=changed.cost_minor)
        _check(changed)
        if found.paused_reason != NOT_LISTED:
            changed = domain.guarded(changed)
        saved = await self._repository.change(tx, changed)
        _tell(tx, [(found, saved)])
        return saved

    async def drop(self, tx: Transaction, merchant_id: UUID, product_id: UUID) -> None:
        """Raises SupplierProductNotFound."""
        if not await self._repository.drop(tx, merchant_id, product_id):
            raise SupplierProductNotFound

    async def get(self, tx: Transaction, merchant_id: UUID, product_id: UUID) -> SupplierProduct:
        """Raises SupplierProductNotFound."""
        found = await self._repository.find(tx, merchant_id, product_id)
        if found is None:
            raise SupplierProductNotFound
        return found

    async def list_products(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        sku: str | None,
        pool_id: UUID | None,
        supplier: str | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[SupplierProduct]:
        """The merchant's offers, newest first."""
        return await self._repository.list_products(
            tx,
            merchant_id,
            sku=sku,
            pool_id=pool_id,
            supplier=supplier,
            after=after,
            limit=limit,
        )

    async def find_for_pool(
        self, tx: Transaction, merchant_id: UUID, pool_id: UUID
    ) -> list[tuple[SupplierProduct, Candidate]]:
        """What a pool's units can be bought as, as the router sees it."""
        products = await self._repository.list_products(
            tx, merchant_id, pool_id=pool_id, limit=OFFERS_MAX
        )
        known = await self._known(tx, {_key(it): it for it in products})
        return [(it, domain.candidate_of(it, known[_key(it)])) for it in products]

    async def find_known(
        self, tx: Transaction, offers: Sequence[OfferKey]
    ) -> Mapping[OfferKey, Known]:
        """What is known of each of these, whether it was set up as an offer here or not."""
        found = await self._repository.find_named(tx, offers)
        own = {_key(product): product for product in found}
        return await self._known(tx, {key: own.get(key) for key in offers})

    async def _known(
        self, tx: Transaction, offers: Mapping[OfferKey, SupplierProduct | None]
    ) -> Mapping[OfferKey, Known]:
        if not offers:
            return {}
        accounts = sorted({(merchant_id, supplier) for merchant_id, supplier, _ in offers})
        records = await self._routing.find_records(tx, list(offers))
        is_open = await self._routing.find_open(tx, accounts)
        syncs = await self._repository.find_syncs(tx, accounts)
        balances = {(sync.merchant_id, sync.supplier): sync.balance for sync in syncs}
        return {
            key: Known(
                product,
                records.get(key, Record()),
                balances.get(key[:2]),
                is_circuit_open=key[:2] in is_open,
            )
            for key, product in offers.items()
        }

    async def take_syncs(
        self, tx: Transaction, connectors: Sequence[str], lease: timedelta, limit: int
    ) -> list[Sync]:
        """Accounts that are to be looked at now, this caller's alone until the lease ends."""
        await self._repository.open_syncs(tx, connectors)
        return await self._repository.take_syncs(tx, new_id(), lease, limit)

    async def note_look(
        self,
        tx: Transaction,
        sync: Sync,
        *,
        balance: Money | None,
        articles: Mapping[str, Article] | None,
        reason: str,
    ) -> None:
        """What a look at an account found. `articles` None: no whole list; `reason`: why not. A
        list that cannot be true changes no offer and opens a case, once.
        """
        believed = None
        if articles is not None:
            reason, believed = await self._take_over(tx, sync, articles)
        failures = sync.failures + 1 if reason else 0
        looked = replace(sync, balance=balance, articles=believed, reason=reason, failures=failures)
        pause = domain.next_sync(failures, self._every)
        await self._repository.save_sync(tx, looked, pause=pause)
        if reason:
            await self._cases.open_many(tx, [_unbelieved(sync, reason)])
        elif sync.reason:
            about = sync.merchant_id, LIST_NOT_BELIEVED, str(sync.supplier_id)
            await self._cases.pass_over(tx, *about, "the list can be believed again")

    async def _take_over(
        self, tx: Transaction, sync: Sync, articles: Mapping[str, Article]
    ) -> tuple[str, int | None]:
        """Why the list is not believed, or how many of our articles are in it."""
        products = await self._repository.lock_of_supplier(tx, sync.merchant_id, sync.supplier)
        ours = {it.supplier_sku for it in products}
        articles = {sku: article for sku, article in articles.items() if sku in ours}
        reason = domain.why_unbelievable(products, articles, sync)
        if reason:
            return reason, None
        changes = [(it, _as_listed(it, articles.get(it.supplier_sku))) for it in products]
        if changes:
            await self._repository.save_seen(tx, [now for _, now in changes])
            _tell(tx, changes)
        return "", len(articles)


def _check(product: SupplierProduct) -> None:
    if product.sku is None and product.pool_id is None:
        raise OfferIsNothing
    if product.quantity_max is not None and product.quantity_max < product.quantity_min:
        raise OfferQuantities


def _key(product: SupplierProduct) -> OfferKey:
    return product.merchant_id, product.supplier, product.supplier_sku


def _as_listed(product: SupplierProduct, article: Article | None) -> SupplierProduct:
    if article is None:
        return replace(product, stock=0, paused_reason=NOT_LISTED)
    return domain.seen(product, article)


def _tell(tx: Transaction, changes: Sequence[tuple[SupplierProduct, SupplierProduct]]) -> None:
    """Offers that are paused by themselves, or go on."""
    for was, now in changes:
        if was.paused_reason == now.paused_reason:
            continue
        is_paused = now.paused_reason != ""
        message = events.offer_paused(now) if is_paused else events.offer_resumed(now)
        outbox.add(tx, message, key=now.id, merchant_id=now.merchant_id)
        log.warning(
            "offer_paused" if is_paused else "offer_resumed",
            supplier_product_id=str(now.id),
            supplier=now.supplier,
            reason=now.paused_reason or was.paused_reason,
        )


def _unbelieved(sync: Sync, reason: str) -> Case:
    return Case(
        merchant_id=sync.merchant_id,
        kind=LIST_NOT_BELIEVED,
        subject=str(sync.supplier_id),
        supplier=sync.supplier,
        details={"reason": reason, "articles_before": sync.articles},
        is_once=False,
    )
