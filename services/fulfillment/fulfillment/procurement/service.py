"""Buying into stock: decided here, paid from a budget, bought through `purchases`, which knows what
an unknown outcome is; the codes come by `arrivals`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from fulfillment.arrivals.domain import ArrivalState
from fulfillment.arrivals.service import ArrivalService
from fulfillment.procurement import domain, events
from fulfillment.procurement.domain import (
    Bought,
    BudgetCurrency,
    BudgetSpent,
    NoOffer,
    NotAwaiting,
    OfferNotForPool,
    Procurement,
    ProcurementNotFound,
    ProcurementState,
)
from fulfillment.procurement.repository import ProcurementRepository
from fulfillment.procurement_rules.domain import Rule, Stand, is_low, wanted_by
from fulfillment.procurement_rules.service import RuleService
from fulfillment.purchases.domain import Want
from fulfillment.purchases.service import PurchaseService
from fulfillment.routing.domain import Candidate, Ranked, rank
from fulfillment.supplier_products.service import SupplierProductService
from kit.clock import Clock
from kit.db import Database, Transaction
from kit.errors import Conflict, Unavailable
from kit.ids import new_id
from kit.logging import get_logger
from kit.messaging import outbox
from kit.money import Money

log = get_logger(__name__)

ON_ITS_WAY = timedelta(seconds=30)
"""The carrier wakes whoever waits for codes; this is for the case that it could not."""
AUTOMATIC = "rule"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be bought. `offer_id` None: of the best; `budget` None: what the dearest usable
    offer may take.
    """

    merchant_id: UUID
    pool_id: UUID
    quantity: int
    requested_by: str
    offer_id: UUID | None = None
    budget: Money | None = None
    rule: Rule | None = None
    why: Mapping[str, Any] | None = None


class ProcurementService:
    def __init__(
        self,
        repository: ProcurementRepository,
        rules: RuleService,
        offers: SupplierProductService,
        purchases: PurchaseService,
        arrivals: ArrivalService,
        clock: Clock,
        lease: timedelta,
    ) -> None:
        self._repository = repository
        self._rules = rules
        self._offers = offers
        self._purchases = purchases
        self._arrivals = arrivals
        self._clock = clock
        self._lease = lease

    async def plan(self, tx: Transaction, wish: Wish) -> Procurement:
        """Plans it and reserves what it may cost. Raises NoOffer, OfferNotForPool, BudgetSpent,
        BudgetCurrency, RuleBusy. Publishes ProcurementProposed when a person must agree first.
        """
        rule = wish.rule or await self._rules.find_of_pool(tx, wish.merchant_id, wish.pool_id)
        ranked, currency = await self._rank(tx, wish, rule)
        if not ranked.order:
            raise NoOffer(offers=list(ranked.explanation))
        dearest = max(offer.cost_max.amount_minor for offer in ranked.order)
        budget = wish.budget or Money(wish.quantity * dearest, currency)
        explanation = {**(wish.why or {}), "offers": list(ranked.explanation)}
        procurement = Procurement(
            id=new_id(),
            merchant_id=wish.merchant_id,
            pool_id=wish.pool_id,
            quantity=wish.quantity,
            budget=budget,
            requested_by=wish.requested_by,
            state=_first_state(wish, budget),
            rule_id=wish.rule.id if wish.rule else None,
            supplier_product_id=wish.offer_id,
            explanation=explanation,
        )
        procurement = await self._reserve(tx, procurement, rule)
        made = await self._repository.add(tx, procurement)
        if made.state is ProcurementState.AWAITING_APPROVAL:
            _publish(tx, made, events.proposed(made))
        return made

    async def plan_by(self, tx: Transaction, rule: Rule, stand: Stand) -> str:
        """What a rule makes of its pool as it stands: why nothing is bought; empty: it is."""
        if not is_low(rule, stand):
            return "enough"
        quantity = wanted_by(rule, stand)
        why = {
            "available": stand.available,
            "sold_per_day": stand.sold_per_day,
            "cover_days": stand.cover_days,
            "target_cover_days": rule.target_cover_days,
            "wanted": quantity,
        }
        wish = Wish(rule.merchant_id, rule.pool_id, quantity, AUTOMATIC, rule=rule, why=why)
        try:
            async with tx.savepoint():
                await self.plan(tx, await self._within_budget(tx, wish, rule))
        except Conflict as error:
            return error.code
        return ""

    async def decide(
        self,
        tx: Transaction,
        merchant_id: UUID,
        procurement_id: UUID,
        who: str,
        *,
        is_approved: bool,
        reason: str = "",
    ) -> Procurement:
        """A person's word, once. Raises ProcurementNotFound, NotAwaiting."""
        state = ProcurementState.PLANNED if is_approved else ProcurementState.DECLINED
        decided = await self._repository.decide(
            tx, merchant_id, procurement_id, who=who, state=state, reason=reason
        )
        if decided is None:
            await self.get(tx, merchant_id, procurement_id)
            raise NotAwaiting
        if not is_approved:
            await self._end(tx, decided)
        return decided

    async def get(self, tx: Transaction, merchant_id: UUID, procurement_id: UUID) -> Procurement:
        """Raises ProcurementNotFound."""
        found = await self._repository.find(tx, merchant_id, procurement_id)
        if found is None:
            raise ProcurementNotFound
        return found

    async def list_procurements(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        pool_id: UUID | None,
        state: str | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Procurement]:
        """The merchant's procurements, newest first."""
        return await self._repository.list_procurements(
            tx, merchant_id, pool_id=pool_id, state=state, after=after, limit=limit
        )

    async def take(self, tx: Transaction, limit: int) -> list[Procurement]:
        """Due ones, this caller's alone until the lease ends."""
        return await self._repository.take(tx, new_id(), self._lease, limit)

    async def attempt(self, db: Database, taken: Sequence[Procurement]) -> None:
        """One turn of each: what is open is brought on, else the next part is bought, else it is at
        its end. May be called again after any crash: what was bought is read from the purchases.
        Raises Unavailable while codes could not be sealed.
        """
        if await self._arrivals.key() is None:
            raise Unavailable("the vault does not say what to seal codes to")
        async with db.transaction() as tx:
            bought = await self._bought(tx, taken)
            wants = {}
            for each in taken:
                want = await self._want(tx, each, bought[each.id])
                if want is not None:
                    wants[each.id] = want
        done = await self._purchases.buy(db, list(wants.values())) if wants else []
        pauses = {key: it.pause for key, it in zip(wants, done, strict=True)}
        async with db.transaction() as tx:
            bought = await self._bought(tx, taken)
            # In one order, as those that end change their pools' budgets.
            for each in sorted(taken, key=_by_budget):
                await self._record(tx, each, bought[each.id], pauses.get(each.id))

    async def _want(self, tx: Transaction, procurement: Procurement, bought: Bought) -> Want | None:
        """What is open, or the next part of the best offer that has not said no."""
        if bought.open is not None:
            return Want(bought.open, "", has_next=True)
        counted = domain.counted(procurement, bought)
        if not domain.can_go_on(counted):
            return None
        offers = await self._usable(tx, counted, bought)
        for offer in offers:
            quantity = domain.part_of(counted, offer)
            if quantity:
                has_next = len(offers) > 1
                return Want(domain.purchase_of(counted, offer, quantity), "", has_next=has_next)
        return None

    async def _record(
        self, tx: Transaction, each: Procurement, bought: Bought, pause: timedelta | None
    ) -> None:
        counted = domain.counted(each, bought)
        if bought.open is not None:
            now = domain.standing(counted, bought)
            await self._repository.save(tx, now, pause or ON_ITS_WAY)
            return
        more = await self._want(tx, counted, bought) is not None
        if more or bought.is_on_its_way:
            now = domain.standing(counted, bought)
            await self._repository.save(tx, now, timedelta() if more else ON_ITS_WAY)
            return
        reason = bought.last_reason or _why_short(counted)
        now = domain.ended(counted, reason, self._clock.now())
        if await self._repository.save(tx, now, timedelta()):
            await self._end(tx, now)

    async def _end(self, tx: Transaction, procurement: Procurement) -> None:
        if procurement.budget_day is not None:
            await self._repository.give_back(tx, procurement)
        _publish(tx, procurement, events.ended(procurement))
        log.info(
            "procurement_ended",
            procurement_id=str(procurement.id),
            state=procurement.state.value,
            reason=procurement.reason,
        )

    async def _bought(self, tx: Transaction, taken: Sequence[Procurement]) -> dict[UUID, Bought]:
        ids = [each.id for each in taken]
        purchases = await self._purchases.find_for_procurements(tx, ids)
        arrived = await self._arrivals.find_for_procurements(tx, ids)
        found = {}
        for each in taken:
            own = [it for owner, it in arrived if owner == each.id]
            found[each.id] = Bought(
                tuple(purchases.get(each.id, ())),
                sum(it.accepted for it in own),
                any(it.state in (ArrivalState.SEALED, ArrivalState.RESEALING) for it in own),
            )
        return found

    async def _usable(
        self, tx: Transaction, procurement: Procurement, bought: Bought
    ) -> Sequence[Candidate]:
        wish = Wish(
            procurement.merchant_id,
            procurement.pool_id,
            procurement.missing,
            procurement.requested_by,
            offer_id=procurement.supplier_product_id,
            budget=procurement.budget,
        )
        try:
            ranked, _ = await self._rank(tx, wish, None)
        except OfferNotForPool:
            return ()
        return [offer for offer in ranked.order if offer.key not in bought.refused]

    async def _rank(self, tx: Transaction, wish: Wish, rule: Rule | None) -> tuple[Ranked, str]:
        """Offers in the order they are tried, and the currency all of it is in."""
        found = await self._offers.find_for_pool(tx, wish.merchant_id, wish.pool_id)
        if wish.offer_id is not None:
            found = [pair for pair in found if pair[0].id == wish.offer_id]
            if not found:
                raise OfferNotForPool
        candidates = [candidate for _, candidate in found]
        if wish.budget is not None:
            currency = wish.budget.currency
        elif rule is not None:
            currency = rule.currency
        else:
            currency = candidates[0].landed.currency if candidates else ""
        now = self._clock.now()
        quantity = wish.quantity
        return rank(candidates, currency=currency, quantity=quantity, now=now), currency

    async def _reserve(
        self, tx: Transaction, procurement: Procurement, rule: Rule | None
    ) -> Procurement:
        """Out of the pool's budget of today, whoever asks for it."""
        if rule is None or rule.budget_per_day_minor is None:
            return procurement
        if rule.currency != procurement.budget.currency:
            raise BudgetCurrency(currency=rule.currency)
        limit = rule.budget_per_day_minor
        day = await self._repository.reserve(tx, procurement, limit)
        if day is None:
            key = procurement.merchant_id, procurement.pool_id, rule.currency
            raise BudgetSpent(left_minor=await self._repository.left_of(tx, *key, limit))
        return replace(procurement, budget_day=day)

    async def _within_budget(self, tx: Transaction, wish: Wish, rule: Rule) -> Wish:
        """So many as the budget of today is still enough for. Raises BudgetSpent, NoOffer."""
        if rule.budget_per_day_minor is None:
            return wish
        key = rule.merchant_id, rule.pool_id, rule.currency
        left = await self._repository.left_of(tx, *key, rule.budget_per_day_minor)
        ranked, _ = await self._rank(tx, wish, rule)
        if not ranked.order:
            raise NoOffer(offers=list(ranked.explanation))
        dearest = max(offer.cost_max.amount_minor for offer in ranked.order)
        affordable = left // dearest if dearest else wish.quantity
        if affordable < rule.quantity_min:
            raise BudgetSpent(left_minor=left)
        return replace(wish, quantity=min(wish.quantity, affordable))


def _first_state(wish: Wish, budget: Money) -> ProcurementState:
    rule = wish.rule
    asks = rule is not None and rule.approval_above_minor is not None
    if asks and rule is not None and budget.amount_minor > (rule.approval_above_minor or 0):
        return ProcurementState.AWAITING_APPROVAL
    return ProcurementState.PLANNED


def _by_budget(procurement: Procurement) -> tuple[UUID, date, UUID]:
    return procurement.pool_id, procurement.budget_day or date.min, procurement.id


def _why_short(procurement: Procurement) -> str:
    if procurement.missing > 0:
        return "no_offer"
    return "codes_missing"


def _publish(tx: Transaction, procurement: Procurement, message: Any) -> None:
    outbox.add(tx, message, key=procurement.id, merchant_id=procurement.merchant_id)
