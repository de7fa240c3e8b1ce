"""Money on its way back: written down, asked for until it is definite, never twice."""

from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from order.refunds import repository
from order.refunds.domain import Refund, RefundState, RefundStatus

LEASE_SECONDS = 60
_ASKED = frozenset({RefundStatus.SENT, RefundStatus.UNKNOWN, RefundStatus.MANUAL})


async def owe(tx: Transaction, refunds: Sequence[Refund]) -> None:
    """Writes down what must go back, in the transaction that decided it."""
    if refunds:
        await repository.add_many(tx, refunds)


async def take_due(tx: Transaction, *, limit: int) -> Sequence[Refund]:
    """Refunds to ask a provider for; they come back after a minute unless settled or postponed."""
    return await repository.take_due(tx, limit=limit, lease_seconds=LEASE_SECONDS)


async def settle(tx: Transaction, ids: Sequence[UUID]) -> Sequence[Refund]:
    """The money is back; answers those that were still open. Lock their orders first."""
    return await repository.settle(tx, ids, _ASKED) if ids else []


async def settle_refused(tx: Transaction, refund_id: UUID) -> Sequence[Refund]:
    """The money went back in another way than through its provider; empty when it is not refused
    (any more).
    """
    return await repository.settle(tx, [refund_id], {RefundStatus.MANUAL})


async def postpone(
    tx: Transaction, failures: Sequence[tuple[UUID, RefundStatus, str]]
) -> set[UUID]:
    """Not done: `unknown` and `due` are asked for again later, `manual` waits for somebody.

    Answers those whose answer was still awaited.
    """
    return await repository.postpone(tx, failures) if failures else set()


async def find_requests(tx: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these requests that led to refunds already."""
    return await repository.find_requests(tx, ids) if ids else set()


async def list_of_order(
    tx: Transaction, order_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[RefundState]:
    """The oldest first."""
    return await repository.list_of_order(tx, order_id, after=after, limit=limit)


async def hurry(tx: Transaction, merchant_id: UUID, refund_id: UUID) -> RefundStatus | None:
    """Its provider has news: ask it now. Its state, `sent` while an answer is awaited; None when no
    such refund is open.
    """
    return await repository.hurry(tx, merchant_id, refund_id)


async def find_done(tx: Transaction, merchant_id: UUID, refund_id: UUID) -> Refund | None:
    """One that was made."""
    return await repository.find_done(tx, merchant_id, refund_id)
