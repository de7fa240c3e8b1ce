"""Placing an order: read, price, hold stock in the vault, then write all in one transaction.

Reads and vault calls of requests that wait at the same time are combined. No transaction is open
while the vault is asked; a hold whose order is not written is given back or runs out by itself.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from kit.combine import Combiner
from kit.db import Database, Transaction
from kit.errors import DomainError, Unavailable
from order.catalogue import service as catalogue
from order.catalogue.domain import Product
from order.coupons import service as coupons
from order.coupons.domain import Refusals
from order.limits import service as limits
from order.limits.domain import Claim, Use
from order.margins.domain import BelowMarginFloor, Shortfall, told_below_floor
from order.margins.service import MarginService
from order.merchants import service as merchants
from order.merchants.domain import Channel, ChannelNotFound
from order.orders import service as orders
from order.orders.domain import Order, Payment, ReferenceTaken, Verdict
from order.payments.service import PaymentService
from order.placing.domain import (
    Draft,
    Found,
    Request,
    begin,
    claims_on,
    coupon_claim,
    draft_order,
    lines_of,
    sale_of,
)
from order.prices.domain import PriceBasis, Priced, Question, price
from order.prices.service import PriceReader
from order.quotes.domain import RanOut, check_quoted
from order.risk import Risk
from order.sales.domain import check
from order.vault import Hold, HoldLine, Vault

READ_BATCH_MAX = 200
_Known = tuple[Request, Channel, Mapping[str, Product]]

Products = Mapping[tuple[UUID, str], Product]


class PlacingService:
    """`hold_grace_seconds`: how much longer than an order may be paid its stock is held."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        risk: Risk,
        payments: PaymentService,
        prices: PriceReader,
        margins: MarginService,
        *,
        pay_seconds: int,
        hold_grace_seconds: int,
    ) -> None:
        self._db = db
        self._vault = vault
        self._risk = risk
        self._payments = payments
        self._prices = prices
        self._margins = margins
        self._pay_seconds = pay_seconds
        self._hold_seconds = pay_seconds + hold_grace_seconds
        self._find = Combiner(self._find_many, batch_max=READ_BATCH_MAX)
        self._limits = Combiner(self._check_limits, batch_max=READ_BATCH_MAX)

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
        """Writes orders with their story and their news, and counts what coupons gave.

        Answers, per draft, ReferenceTaken, LimitReached, or RanOut when what was left when it was
        priced is gone.

        Raises PaymentReferenceUsed when a prepaid one's payment was used before: the transaction
        must be undone then.
        """
        reached = await limits.take(tx, [(draft.key, draft.claims) for draft in drafts])
        fitting = [draft for place, draft in enumerate(drafts) if place not in reached]
        coupon_claims = [draft.coupon_claim for draft in fitting if draft.coupon_claim]
        ran_out = await coupons.refuse_many(tx, coupon_claims)
        fitting = [draft for draft in fitting if draft.change.order.id not in ran_out]
        placed = await orders.add_many(tx, [draft.change for draft in fitting])
        await limits.record(tx, [use for draft in fitting for use in _uses(draft, placed)])
        await coupons.use_many(tx, [it for it in coupon_claims if it.order_id in placed])
        prepaid = [
            (draft.change.order, draft.payment, draft.change.order.placed_at)
            for draft in drafts
            if draft.payment is not None and draft.change.order.id in placed
        ]
        if prepaid:
            await self._payments.record(tx, prepaid)
        orders.tell(tx, [draft.change for draft in fitting if draft.change.order.id in placed])
        for draft in drafts:
            draft.is_placed = draft.change.order.id in placed
        refused = [draft for draft in drafts if not draft.is_placed]
        taken, _ = (
            await orders.find_references(tx, [draft.key for draft in refused])
            if refused
            else ({}, None)
        )
        return [
            draft.change.order
            if draft.is_placed
            else _refusal(draft.key, taken, reached.get(place) or _over(ran_out, draft))
            for place, draft in enumerate(drafts)
        ]

    async def find(self, request: Request) -> Found:
        """What the database knows about a request; codes that do not exist are counted.

        Raises ChannelNotFound, TooManyMisses.
        """
        return await self._find(request)

    async def shortfalls(
        self, request: Request, found: Found, priced: Priced
    ) -> Sequence[Shortfall]:
        """The lines below their margin floor. Raises Unavailable when a cost cannot be had."""
        return await self._margins.shortfalls(
            request.merchant_id, found.channel, found.products, found.asked, priced
        )

    async def _prepare(self, request: Request) -> Draft:
        found = await self.find(request)
        found.channel.check_takes(line.sku for line in request.lines)
        if found.taken_by is not None:
            raise _reference_taken(found.taken_by)
        sale = sale_of(request, found)
        wanted = check(sale, found.products, request.lines)
        priced = price(found.asked.facts, wanted)
        check_quoted(request.expected_total, found.asked, priced)
        below = await self.shortfalls(request, found, priced)
        if below and not request.below_cost:
            raise BelowMarginFloor(lines=[it.document for it in below])
        shortage = found.channel.default_shortage
        lines = lines_of(priced.lines, found.products, request.customer.locale, shortage)
        claims = claims_on(request, wanted, found.products)
        if claims:
            await self._limits((request, claims))
        order = draft_order(request, found.channel, lines, found.now, self._pay_seconds)
        payment = self._prepaid(request, found, order)
        order = await self._held(order, found.channel, is_paid=payment is not None)
        if payment is not None:
            order = await self._assessed(order, payment)
        change = begin(order, priced.lines, payment=payment, cause=request.cause)
        if below:
            change = told_below_floor(change, below, request.below_cost)
        return Draft(change, payment, claims, coupon_claim(order, found.asked, priced))

    async def _check_limits(
        self, wanted: Sequence[tuple[Request, Sequence[Claim]]]
    ) -> Sequence[DomainError | None]:
        """Early, so that who has had enough holds no stock; `place_many` has the last word."""
        async with self._db.read({request.merchant_id for request, _ in wanted}) as tx:
            reached = await limits.check_many(tx, [claims for _, claims in wanted])
            keys = [it.key for (it, _), error in zip(wanted, reached, strict=True) if error]
            taken = (await orders.find_references(tx, keys))[0] if keys else {}
        return [
            error and _refusal(request.key, taken, error)
            for (request, _), error in zip(wanted, reached, strict=True)
        ]

    def _prepaid(self, request: Request, found: Found, order: Order) -> Payment | None:
        if request.paid is None:
            return None
        payment = self._payments.accept(found.channel, request.paid)
        self._payments.check_amount(request.paid, order)
        return payment

    async def _assessed(self, order: Order, payment: Payment) -> Order:
        """A paid order that risk allows now goes on at once; the others wait for its event."""
        announced = orders.announcement(replace(order, payment=payment))
        assessment_id = await self._risk.allow(announced)
        if not assessment_id:
            return order
        return replace(order, assessment_id=assessment_id, verdict=Verdict.ALLOW)

    async def _held(self, order: Order, channel: Channel, *, is_paid: bool) -> Order:
        """With its units held, if a line needs any."""
        lines = tuple(
            HoldLine(line.line_no, line.sku, line.pool_id, line.quantity, channel.min_valid_seconds)
            for line in order.lines
            if line.pool_id is not None
        )
        if not lines:
            return order
        holder = {} if is_paid else _holder_of(order)
        reservation_id = await self._vault.reserve(
            Hold(
                order.merchant_id,
                str(order.id),
                lines,
                self._hold_seconds,
                holder=holder,
                channel_id=order.channel_id,
            )
        )
        return replace(order, reservation_id=reservation_id)

    async def _give_back(self, draft: Draft) -> None:
        order = draft.change.order
        if order.reservation_id is not None:
            await self._vault.release(order.merchant_id, order.reservation_id, "not placed")

    async def _find_many(self, requests: Sequence[Request]) -> Sequence[Found | DomainError]:
        """Four statements, however many requests; some more for bundles and price rules."""
        async with self._db.read({request.merchant_id for request in requests}) as tx:
            channels = await merchants.find_channels(tx, {r.channel_id for r in requests})
            products = await catalogue.find_by_sku(
                tx, {(r.merchant_id, line.sku) for r in requests for line in r.lines}
            )
            components = await catalogue.find_components(tx, products.values())
            known = [_known(request, channels, products, components) for request in requests]
            asked = await self._prices.ask_many(tx, [_question(*each) for each in known if each])
            taken, now = await orders.find_references(tx, [request.key for request in requests])
        answers = iter(await self._count_misses(asked))
        return [
            _found(each, next(answers), taken, now)
            if each
            else ChannelNotFound(channel_id=str(request.channel_id))
            for request, each in zip(requests, known, strict=True)
        ]

    async def _count_misses(
        self, asked: Sequence[PriceBasis | DomainError]
    ) -> Sequence[PriceBasis | DomainError]:
        """Before the next batch reads, or it would tell a guesser more than his share. Where that
        fails only guessers are refused.
        """
        missed = [
            (it.guess, it.misses)
            for it in asked
            if isinstance(it, PriceBasis) and it.guess is not None and it.misses
        ]
        if not missed:
            return asked
        try:
            async with self._db.transaction({guess.merchant_id for guess, _ in missed}) as tx:
                await coupons.miss_many(tx, missed)
        except Unavailable as error:
            return [error if isinstance(it, PriceBasis) and it.misses else it for it in asked]
        return asked


def _known(
    request: Request,
    channels: Mapping[UUID, Channel],
    products: Products,
    components: Products,
) -> _Known | None:
    """None when the channel is not the merchant's."""
    channel = channels.get(request.channel_id)
    if channel is None or channel.merchant_id != request.merchant_id:
        return None
    return request, channel, _products_of(request, products, components)


def _question(request: Request, channel: Channel, products: Mapping[str, Product]) -> Question:
    return Question(
        merchant_id=request.merchant_id,
        channel_id=channel.id,
        own_list=channel.price_list_id,
        groups=request.groups,
        products=products,
        codes=request.coupon_codes,
        sources=request.sources,
    )


def _found(
    known: _Known,
    asked: PriceBasis | DomainError,
    taken: Mapping[tuple[UUID, str], UUID],
    now: datetime,
) -> Found | DomainError:
    if isinstance(asked, DomainError):
        return asked
    request, channel, products = known
    return Found(channel, products, taken.get((channel.id, request.reference)), now, asked)


def _over(ran_out: Mapping[UUID, Refusals], draft: Draft) -> RanOut | None:
    """What was left when the order was priced has gone to others meanwhile."""
    reasons = ran_out.get(draft.change.order.id)
    if reasons is None:
        return None
    return RanOut(rules=[{"rule_id": str(it), "reason": why} for it, why in reasons.items()])


def _products_of(request: Request, products: Products, components: Products) -> dict[str, Product]:
    """By SKU: what the request names, and what the bundles among it are made of."""
    merchant_id = request.merchant_id
    keys = [(merchant_id, line.sku) for line in request.lines]
    found = {sku: products[merchant_id, sku] for _, sku in keys if (merchant_id, sku) in products}
    if components:
        found = {sku: part for (of, sku), part in components.items() if of == merchant_id} | found
    return found


def _uses(draft: Draft, placed: AbstractSet[UUID]) -> list[Use]:
    order = draft.change.order
    claims = draft.claims if order.id in placed else ()
    return [Use(order.merchant_id, order.id, claim) for claim in claims]


def _refusal(
    key: tuple[UUID, UUID, str],
    taken: Mapping[tuple[UUID, str], UUID],
    reached: DomainError | None,
) -> DomainError:
    """A call that repeats an order is told so, also where a limit would refuse it."""
    order_id = taken.get(key[1:])
    return reached if reached and order_id is None else _reference_taken(order_id)


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
