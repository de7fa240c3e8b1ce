"""Lines that a supplier tops up: bought offer by offer, the next one only after a definite no."""

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
from fulfillment.loading import Parts
from fulfillment.purchases.domain import BY_A_PERSON, Bought, PurchaseState, Want, plan
from fulfillment.purchases.service import PurchaseService
from kit.db import Database

NO_OFFER = "no_offer"
NO_ACCOUNT = "no_account"
_JITTER = 0.2


class TopUpKind:
    """See the module's text. Each line is a task of its own."""

    name = "top_up"
    # Each is a connection of its own to the outside.
    batch_max = 50

    def __init__(self, db: Database, purchases: PurchaseService) -> None:
        self._db = db
        self._purchases = purchases

    def plan(self, lines: Sequence[Line]) -> list[list[Line]]:
        return [[line] for line in lines]

    async def attempt(self, tasks: Sequence[Task]) -> list[Attempt]:
        """One turn of each task's purchase; its reference is made of the task's generation."""
        wants = {task.id: _want(task) for task in tasks if _why_not(task) is None}
        bought = await self._purchases.buy(self._db, list(wants.values())) if wants else []
        standing = dict(zip(wants, bought, strict=True))
        return [_attempt(task, standing) for task in tasks]


def _why_not(task: Task) -> str | None:
    """Why nothing can be bought for it at all."""
    line = task.deliveries[0].line
    if line.top_up is None or not line.top_up.offers:
        return NO_OFFER
    return None if line.account else NO_ACCOUNT


def _want(task: Task) -> Want:
    delivery = task.deliveries[0]
    line = delivery.line
    assert line.top_up is not None, f"line {line.line_id} has no terms"
    offers = line.top_up.offers
    return Want(
        plan(delivery, offers[task.generation], task.generation),
        line.account,
        has_next=task.generation + 1 < len(offers),
    )


def _attempt(task: Task, standing: Mapping[UUID, Bought]) -> Attempt:
    delivery = task.deliveries[0]
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
    return TopUpKind(parts.db, parts.purchases)
