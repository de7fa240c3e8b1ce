"""Lines that a supplier tops up: bought offer by offer, the next one only after a definite no.

Which one is next says the list, or, where the product wants the best, what is known of their
suppliers at that moment.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from fulfillment.deliveries.domain import (
    Attempt,
    Delivered,
    Delivery,
    Failed,
    Kind,
    Line,
    LotCost,
    Retry,
    Settled,
    Task,
)
from fulfillment.kinds.top_up.domain import NO_OFFER, Choice, best, keys_of, listed
from fulfillment.loading import Parts
from fulfillment.purchases.domain import BY_A_PERSON, Bought, Purchase, PurchaseState, Want
from fulfillment.purchases.service import PurchaseService
from fulfillment.routing.domain import OfferKey
from fulfillment.supplier_products.domain import Known
from fulfillment.supplier_products.service import SupplierProductService
from kit.clock import Clock, SystemClock
from kit.db import Database

NO_ACCOUNT = "no_account"
_JITTER = 0.2


class TopUpKind:
    """See the module's text. Each line is a task of its own."""

    name = "top_up"
    # Each is a connection of its own to the outside.
    batch_max = 50
    # A round waits for its slowest supplier, up to the patience: the others go on beside it.
    rounds_max = 4

    def __init__(
        self,
        db: Database,
        purchases: PurchaseService,
        offers: SupplierProductService,
        clock: Clock,
    ) -> None:
        self._db = db
        self._purchases = purchases
        self._offers = offers
        self._clock = clock

    def plan(self, lines: Sequence[Line]) -> list[list[Line]]:
        return [[line] for line in lines]

    async def attempt(self, tasks: Sequence[Task]) -> list[Attempt]:
        """One turn of each task's purchase; its reference is made of the task's generation."""
        choices = await self._choose([task for task in tasks if _why_not(task) is None])
        wants = {
            task.id: _want(task, choice) for task, choice in choices if isinstance(choice, Choice)
        }
        bought = await self._purchases.buy(self._db, list(wants.values())) if wants else []
        standing = dict(zip(wants, bought, strict=True))
        ends = {task.id: choice for task, choice in choices if isinstance(choice, Failed)}
        return [_attempt(task, standing, ends) for task in tasks]

    async def _choose(self, tasks: Sequence[Task]) -> list[tuple[Task, Choice | Failed]]:
        """What is bought for each now. Only those that want the best cost questions."""
        weighed = [task.deliveries[0] for task in tasks if _wants_best(task)]
        tried: Mapping[UUID, Sequence[Purchase]] = {}
        known: Mapping[OfferKey, Known] = {}
        if weighed:
            keys = sorted({key for delivery in weighed for key in keys_of(delivery)})
            async with self._db.read() as tx:
                tried = await self._purchases.find_for_deliveries(tx, [it.id for it in weighed])
                known = await self._offers.find_known(tx, keys)
        now = self._clock.now()
        chosen: list[tuple[Task, Choice | Failed]] = []
        for task in tasks:
            delivery, number = task.deliveries[0], task.generation
            if _wants_best(task):
                own = tried.get(delivery.id, ())
                chosen.append((task, best(delivery, number, own, known, now)))
            else:
                chosen.append((task, listed(delivery, number)))
        return chosen


def _why_not(task: Task) -> str | None:
    """Why nothing can be bought for it at all."""
    line = task.deliveries[0].line
    if line.top_up is None or not line.top_up.offers:
        return NO_OFFER
    return None if line.account else NO_ACCOUNT


def _wants_best(task: Task) -> bool:
    terms = task.deliveries[0].line.top_up
    return terms is not None and terms.is_best


def _want(task: Task, choice: Choice) -> Want:
    return Want(choice.purchase, task.deliveries[0].line.account, has_next=choice.has_next)


def _attempt(task: Task, standing: Mapping[UUID, Bought], ends: Mapping[UUID, Failed]) -> Attempt:
    delivery = task.deliveries[0]
    if task.id in ends:
        return Settled(task, (ends[task.id],))
    if task.id not in standing:
        return Settled(task, (Failed(delivery.id, _why_not(task) or NO_OFFER),))
    bought = standing[task.id]
    match bought.purchase.state:
        case PurchaseState.DONE:
            return Settled(task, (_delivered(delivery, bought),))
        case PurchaseState.FAILED:
            return _refused(task, bought)
        case PurchaseState.INTENT | PurchaseState.SENT:
            # An earlier sending may have worked; the one of now is still under way.
            under_way = bought.purchase.state is PurchaseState.SENT
            return _again(task, bought, is_unknown=bought.purchase.tries > under_way)
        case PurchaseState.UNKNOWN | PurchaseState.MANUAL:
            return _again(task, bought, is_unknown=True)


def _refused(task: Task, bought: Bought) -> Attempt:
    delivery, purchase = task.deliveries[0], bought.purchase
    terms = delivery.line.top_up
    following = task.generation + 1
    is_last = terms is None or following >= len(terms.offers) or purchase.reason == BY_A_PERSON
    if is_last:
        return Settled(task, (Failed(delivery.id, purchase.reason, bought.refusals),))
    return Retry(task, purchase.reason, following, pause=timedelta(), supplier=purchase.supplier)


def _again(task: Task, bought: Bought, *, is_unknown: bool) -> Retry:
    # Many that became unknown together are not asked for together.
    pause = bought.pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
    purchase = bought.purchase
    reason = purchase.reason or "supplier_slow"
    return Retry(task, reason, task.generation, is_unknown, pause, purchase.supplier)


def _delivered(delivery: Delivery, bought: Bought) -> Delivered:
    purchase = bought.purchase
    assert purchase.cost is not None, f"purchase {purchase.id} is done without a cost"
    cost = LotCost(None, 1, purchase.cost, purchase.supplier, purchase.id)
    return Delivered(delivery.id, (), (cost,), purchase.receipt or purchase.supplier_reference)


def create(parts: Parts) -> Kind:
    return TopUpKind(parts.db, parts.purchases, parts.offers, SystemClock())
