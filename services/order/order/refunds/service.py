from collections.abc import Sequence

from kit.db import Transaction
from order.refunds import repository
from order.refunds.domain import Refund

LEASE_SECONDS = 60


async def owe(tx: Transaction, refunds: Sequence[Refund]) -> None:
    """Writes down what must go back, in the transaction that decided it."""
    if refunds:
        await repository.add_many(tx, refunds)


async def take_due(tx: Transaction, *, limit: int) -> Sequence[Refund]:
    """Refunds to ask a provider for; they come back after a minute unless settled or postponed."""
    return await repository.take_due(tx, limit=limit, lease_seconds=LEASE_SECONDS)


async def settle(tx: Transaction, refunds: Sequence[Refund]) -> Sequence[Refund]:
    """The provider gave the money back; answers those that were still open."""
    return await repository.settle(tx, refunds) if refunds else []


async def postpone(tx: Transaction, failures: Sequence[tuple[Refund, str]]) -> None:
    """No definite answer: ask again later, by the same id."""
    if failures:
        await repository.postpone(tx, failures)
