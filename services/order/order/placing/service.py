"""Placing an order: read, price, hold stock in the vault, then write all in one transaction.

Reads and vault calls of requests that wait at the same time are combined. No transaction is open
while the vault is asked; a hold whose order is not written is given back or runs out by itself.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from kit.combine import Combiner
from kit.db import Database, Transaction
from kit.errors import DomainError, Unavailable
from order.catalogue import service as catalogue
from order.catalogue.domain import Product
from order.merchants import service as merchants
from order.merchants.domain import Channel, ChannelNotFound
from order.orders import service as orders
from order.orders.domain import Order, Payment, ReferenceTaken
from order.payments.service import PaymentService
from order.placing.domain import Draft, Found, Request, begin, draft_order, lines_of
from order.prices.domain import price
from order.sales.domain import Sale, check
from order.unit_prices.domain import Facts
from order.vault import Hold, HoldLine, Vault

READ_BATCH_MAX = 200

Products = Mapping[tuple[UUID, str], Product]


class PlacingService:
    """`hold_grace_seconds`: how much longer than an order may be paid its stock is held."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        payments: PaymentService,
        *,
        pay_seconds: int,
        hold_grace_seconds: int,
    ) -> None:
        self._db = db
        self._vault = vault
        self._payments = payments
        self._pay_seconds = pay_seconds
        self._hold_seconds = pay_seconds + hold_grace_seconds
        self._find = Combiner(self._find_many, batch_max=READ_BATCH_MAX, lanes=2)

    @asynccontextmanager
    async def prepared(self, request: Request) -> AsyncIterator[Draft]:
        """A draft whose stock is held; given back at the end unless the draft was placed.

        Raises ChannelNotFound, MerchantSuspended, ChannelClosed, NotSoldHere, ReferenceTaken, the
        errors of prices, ChannelNotTrusted, AmountMismatch, OutOfStock, HoldBudgetExceeded,
        StockRefused, Unavailable.
        """
        draft = await self._prepare(request)
        try:
            yield draft
        except Unavailable:
            # Whether the order was written is unknown: a hold that nobody owns runs out by itself.
            raise
        except DomainError:
            await self._give_back(draft)
            raise
        if not draft.is_placed:
            await self._give_back(draft)

    async def place_many(
        self, tx: Transaction, drafts: Sequence[Draft]
    ) -> Sequence[Order | DomainError]:
        """Writes orders with their story and their news. Answers, per draft, ReferenceTaken.

        Raises PaymentReferenceUsed when a prepaid one's payment was used before: the transaction
        must be undone then.
        """
        placed = await orders.add_many(tx, [draft.change for draft in drafts])
        prepaid = [
            (draft.change.order, draft.payment, draft.change.order.placed_at)
            for draft in drafts
            if draft.payment is not None and draft.change.order.id in placed
        ]
        if prepaid:
            await self._payments.record(tx, prepaid)
        for draft in drafts:
            draft.is_placed = draft.change.order.id in placed
        refused = [draft.change.order for draft in drafts if not draft.is_placed]
        taken = await self._taken(tx, refused) if refused else {}
        return [taken.get(draft.change.order.id, draft.change.order) for draft in drafts]

    async def _taken(
        self, tx: Transaction, refused: Sequence[Order]
    ) -> dict[UUID, Order | DomainError]:
        found, _ = await orders.find_references(
            tx, [(order.merchant_id, order.channel_id, order.reference) for order in refused]
        )
        return {
            order.id: _reference_taken(found.get((order.channel_id, order.reference)))
            for order in refused
        }

    async def _prepare(self, request: Request) -> Draft:
        found = await self._find(request)
        found.channel.check_takes(line.sku for line in request.lines)
        if found.taken_by is not None:
            raise _reference_taken(found.taken_by)
        sale = Sale(request.channel_id, request.customer.region, found.now)
        wanted = check(sale, found.products, request.lines)
        priced = price(Facts(found.products), wanted).lines
        lines = lines_of(priced, found.products, request.customer.locale)
        order = draft_order(request, lines, found.now, self._pay_seconds)
        payment = self._prepaid(request, found, order)
        reservation_id = await self._hold(order, found.channel, is_paid=payment is not None)
        change = begin(
            order, priced, reservation_id=reservation_id, payment=payment, cause=request.cause
        )
        return Draft(change, payment)

    def _prepaid(self, request: Request, found: Found, order: Order) -> Payment | None:
        if request.paid is None:
            return None
        payment = self._payments.accept(found.channel, request.paid)
        self._payments.check_amount(request.paid, order)
        return payment

    async def _hold(self, order: Order, channel: Channel, *, is_paid: bool) -> UUID | None:
        """Holds the units of an order; None when no line needs any."""
        lines = tuple(
            HoldLine(line.line_no, line.sku, line.pool_id, line.quantity, channel.min_valid_seconds)
            for line in order.lines
            if line.pool_id is not None
        )
        if not lines:
            return None
        holder = {} if is_paid else _holder_of(order)
        return await self._vault.reserve(
            Hold(order.merchant_id, str(order.id), lines, self._hold_seconds, holder=holder)
        )

    async def _give_back(self, draft: Draft) -> None:
        order = draft.change.order
        if order.reservation_id is not None:
            await self._vault.release(order.merchant_id, order.reservation_id, "not placed")

    async def _find_many(self, requests: Sequence[Request]) -> Sequence[Found | DomainError]:
        """Three statements, however many requests; one more for bundles."""
        async with self._db.read() as tx:
            channels = await merchants.find_channels(tx, {r.channel_id for r in requests})
            products = await catalogue.find_by_sku(
                tx, {(r.merchant_id, line.sku) for r in requests for line in r.lines}
            )
            components = await catalogue.find_components(tx, products.values())
            taken, now = await orders.find_references(
                tx, [(r.merchant_id, r.channel_id, r.reference) for r in requests]
            )
        results: list[Found | DomainError] = []
        for request in requests:
            channel = channels.get(request.channel_id)
            if channel is None or channel.merchant_id != request.merchant_id:
                results.append(ChannelNotFound(channel_id=str(request.channel_id)))
                continue
            results.append(
                Found(
                    channel,
                    _products_of(request, products, components),
                    taken.get((request.channel_id, request.reference)),
                    now,
                )
            )
        return results


def _products_of(request: Request, products: Products, components: Products) -> dict[str, Product]:
    """By SKU: what the request names, and what the bundles among it are made of."""
    merchant_id = request.merchant_id
    keys = [(merchant_id, line.sku) for line in request.lines]
    found = {sku: products[merchant_id, sku] for _, sku in keys if (merchant_id, sku) in products}
    if components:
        found = {sku: part for (of, sku), part in components.items() if of == merchant_id} | found
    return found


def _reference_taken(order_id: UUID | None) -> ReferenceTaken:
    return ReferenceTaken(order_id=str(order_id) if order_id else None)


def _holder_of(order: Order) -> dict[str, str]:
    """Who holds stock unpaid, as the vault's budgets count it."""
    customer = order.customer
    named = {
        "buyer": customer.id,
        "ip": customer.ip,
        "device": customer.device_id,
        "channel": str(order.channel_id),
    }
    return {name: value for name, value in named.items() if value}
