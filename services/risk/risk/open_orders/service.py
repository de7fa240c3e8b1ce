from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from kit.statements import Answer, Read
from risk.counts import KeyKind
from risk.facts import FactKind, FactValue
from risk.open_orders.domain import COUNTED_BY, LOST_AFTER, OPEN_ORDER_FACTS, Found, facts_of
from risk.open_orders.repository import OpenOrderRepository
from risk.velocity.domain import Purchase

DROPPED_MAX = 1_000
"""Orders in one transaction."""


class OpenOrderService:
    """Which orders wait for their payment. A source of facts: how many others of the same key do.

    Exact as counts are: whoever asks holds the keys that its rules mention.
    """

    facts: Sequence[FactKind] = OPEN_ORDER_FACTS

    def __init__(self, repository: OpenOrderRepository) -> None:
        self._repository = repository

    def ask(self, purchases: Sequence[Purchase]) -> Read:
        return self._repository.count(
            {
                kind: sorted({key for it in purchases if (key := it.key_of(kind))})
                for kind in COUNTED_BY
            }
        )

    def know(
        self, purchases: Sequence[Purchase], answer: Answer
    ) -> Sequence[Mapping[str, FactValue]]:
        """For purchases in the order they come."""
        return facts_of(purchases, Found({(KeyKind(kind), key): n for kind, key, n in answer}))

    def open(self, tx: Transaction, purchases: Sequence[Purchase]) -> None:
        """Purchases that are recorded now: those that wait for their payment count from here on."""
        waiting = [it for it in purchases if it.is_open]
        if waiting:
            self._repository.add(tx, waiting)

    async def close(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """They are paid, or over."""
        await self._repository.close(tx, orders)

    async def drop_lost(self, tx: Transaction) -> bool:
        """Whether there may be more of which no end was heard."""
        dropped = await self._repository.drop_lost(tx, LOST_AFTER, limit=DROPPED_MAX)
        return dropped == DROPPED_MAX
