"""Runs decisions over locked orders: lock, fold the facts into changes, write once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from kit.db import Transaction
from order.orders import service as orders
from order.orders.domain import Assessment, Change, LineOutcome, Order
from order.refunds.domain import Refund
from order.saga import domain

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Fact(Generic[F]):
    """Something that happened to an order, and what made it known (an event, a timer)."""

    order_id: UUID
    what: F
    cause: str


async def assess(tx: Transaction, facts: Sequence[Fact[Assessment]]) -> None:
    """Risk's decisions, in their order. Raises OrderNotFound when an order is not here (yet)."""
    await _decide(tx, facts, domain.assess)


async def settle_lines(tx: Transaction, facts: Sequence[Fact[LineOutcome]]) -> None:
    """Fulfilment's outcomes, in their order. Raises OrderNotFound."""
    await _decide(tx, facts, domain.settle_line)


async def settle_refunds(tx: Transaction, facts: Sequence[Fact[Refund]]) -> None:
    """Refunds that a provider has made. Raises OrderNotFound."""
    await _decide(tx, facts, domain.settle_refund)


async def _decide(
    tx: Transaction, facts: Sequence[Fact[F]], rule: Callable[[Change, F], Change]
) -> None:
    locked = await orders.lock_many(tx, {fact.order_id for fact in facts})
    changes: dict[UUID, Change] = {}
    for fact in facts:
        change = changes.get(fact.order_id) or Change(locked.get(fact.order_id), fact.cause)
        changes[fact.order_id] = rule(change.because(fact.cause), fact.what)
    await orders.save_many(tx, list(changes.values()))


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
