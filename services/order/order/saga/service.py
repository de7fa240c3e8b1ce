"""Runs decisions over locked orders: lock, fold the facts into changes, write once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from prometheus_client import Counter

from kit.db import Transaction
from kit.logging import get_logger
from order.challenges import domain as challenges
from order.challenges.domain import CodeNews
from order.deliveries.domain import LineOutcome
from order.orders import service as orders
from order.orders.domain import Assessment, Change, Order
from order.payments import domain as money
from order.refunds import service as refunds
from order.refunds.domain import (
    Refund,
    RefundAnswer,
    RefundStatus,
    RefundWanted,
)
from order.saga import domain

F = TypeVar("F")
log = get_logger(__name__)

LET_GO_WRONGLY = Counter(
    "lockstock_order_let_go_wrongly", "Orders a default let go that risk would not have allowed"
)


@dataclass(frozen=True, slots=True)
class Fact(Generic[F]):
    """Something that happened to an order, and what made it known (an event, a timer)."""

    order_id: UUID
    what: F
    cause: str


async def assess(tx: Transaction, facts: Sequence[Fact[Assessment]]) -> None:
    """Risk's decisions, in their order. Raises OrderNotFound when an order is not here (yet)."""
    for change in await _decide(tx, facts, domain.assess):
        for entry in change.entries:
            if entry.kind == "let_go_wrongly":
                LET_GO_WRONGLY.inc()
                log.warning("let_go_wrongly", order_id=str(change.order.id))


async def note_challenges(tx: Transaction, facts: Sequence[Fact[CodeNews]]) -> None:
    """What became of the codes that buyers are to show. Raises OrderNotFound."""
    await _decide(tx, facts, challenges.note)


async def settle_lines(tx: Transaction, facts: Sequence[Fact[LineOutcome]]) -> None:
    """Fulfilment's outcomes, in their order. Raises OrderNotFound."""
    await _decide(tx, facts, domain.settle_line)


async def settle_refunds(tx: Transaction, facts: Sequence[Fact[RefundAnswer]]) -> None:
    """What providers answered. Raises OrderNotFound.

    The orders are locked before their refunds are, as everywhere: nobody waits in a circle.
    """
    locked = await orders.lock_many(tx, {fact.order_id for fact in facts})
    answers = {fact.what.refund.id: fact for fact in facts}
    done = [it for it, fact in answers.items() if fact.what.status is RefundStatus.DONE]
    made = {refund.id: refund for refund in await refunds.settle(tx, done)}
    failed = [
        fact.what for it, fact in answers.items() if fact.what.status is not RefundStatus.DONE
    ]
    postponed = await refunds.postpone(tx, [(it.refund.id, it.status, it.why) for it in failed])
    changes: dict[UUID, Change] = {}
    for refund_id, fact in answers.items():
        change = changes.get(fact.order_id) or Change(locked.get(fact.order_id), fact.cause)
        change = change.because(fact.cause)
        if refund_id in made:
            changes[fact.order_id] = domain.settle_refund(change, made[refund_id])
        elif fact.what.status is RefundStatus.MANUAL and refund_id in postponed:
            changes[fact.order_id] = domain.refund_refused(change, fact.what)
    await orders.save_many(tx, list(changes.values()))


async def refund(
    tx: Transaction, merchant_id: UUID, order_id: UUID, wanted: RefundWanted
) -> tuple[Order, Sequence[Refund]]:
    """Owes what somebody asks to be refunded; answers the order and the new refunds.

    Raises OrderNotFound and what `payments.domain.refund` raises.
    """
    order, _ = await orders.lock_own(tx, merchant_id, order_id)
    change = money.refund(Change(order, wanted.asked_by), wanted)
    await orders.save_many(tx, [change])
    return change.order, change.refunds


async def _decide(
    tx: Transaction, facts: Sequence[Fact[F]], rule: Callable[[Change, F], Change]
) -> list[Change]:
    locked = await orders.lock_many(tx, {fact.order_id for fact in facts})
    changes: dict[UUID, Change] = {}
    for fact in facts:
        change = changes.get(fact.order_id) or Change(locked.get(fact.order_id), fact.cause)
        changes[fact.order_id] = rule(change.because(fact.cause), fact.what)
    await orders.save_many(tx, list(changes.values()))
    return list(changes.values())


async def cancel(
    tx: Transaction, merchant_id: UUID, order_id: UUID, reason: str, cause: str
) -> Order:
    """Ends an unpaid order; its stock goes back. Raises OrderNotFound, OrderNotCancellable."""
    order, _ = await orders.lock_own(tx, merchant_id, order_id)
    change = domain.cancel(Change(order, cause), reason)
    await orders.save_many(tx, [change])
    return change.order


async def expire_due(tx: Transaction, limit: int) -> int:
    """Ends at most `limit` orders that were not paid in time; answers how many it ended."""
    due = await orders.take_unpaid_due(tx, limit)
    await orders.save_many(tx, [domain.expire(Change(order, "timer")) for order in due])
    return len(due)
