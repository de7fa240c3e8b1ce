from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from kit.statements import Answer, Read
from risk.counts import KeyKind
from risk.facts import FactKind, FactValue
from risk.labels.domain import (
    BAD,
    LABEL_FACTS,
    Buyer,
    Label,
    LabelKind,
    RuleWorth,
    fact_name,
    merged,
)
from risk.labels.repository import LabelRepository
from risk.report_periods import check_period
from risk.reviews.domain import TIME_LIMIT
from risk.velocity.domain import Purchase

_OF = {"customer": KeyKind.CUSTOMER, "contact": KeyKind.CONTACT}


class LabelService:
    """What became of orders. A source of facts: what is known of the buyer's earlier orders."""

    facts: Sequence[FactKind] = LABEL_FACTS

    def __init__(self, repository: LabelRepository) -> None:
        self._repository = repository

    async def add(self, tx: Transaction, labels: Sequence[Label]) -> None:
        """Notes them; the same again changes nothing."""
        if labels:
            buyers = await self._repository.find_buyers(tx, {it.order_id for it in labels})
            whose = [(it, buyers.get(it.order_id, Buyer())) for it in labels]
            self._repository.add(tx, whose)

    def meet(self, tx: Transaction, buyers: Mapping[UUID, Buyer]) -> None:
        """Whose these orders are: labels that came before them were nobody's so far."""
        known = {order_id: it for order_id, it in buyers.items() if it != Buyer()}
        if known:
            self._repository.give_buyers(tx, known)

    def ask(self, purchases: Sequence[Purchase]) -> Read:
        keys = {
            of: sorted({key for it in purchases if (key := it.key_of(kind))})
            for of, kind in _OF.items()
        }
        return self._repository.count(keys["customer"], keys["contact"])

    def know(
        self, purchases: Sequence[Purchase], answer: Answer
    ) -> Sequence[Mapping[str, FactValue]]:
        """Of each purchase, how many earlier orders of its buyer and contact turned out badly."""
        found = {(of, key, LabelKind(kind)): orders for of, key, kind, orders in answer}
        return [_facts(it, found) for it in purchases]

    async def report(
        self, tx: Transaction, merchant_id: UUID, since: datetime, until: datetime
    ) -> list[RuleWorth]:
        """How each rule that fired in that time did; those that fired most come first.
        Raises ReportTooLong.
        """
        check_period(since, until)
        rows = await self._repository.worth(tx, merchant_id, since, until, time_limit=TIME_LIMIT)
        return merged(rows)


def _facts(
    purchase: Purchase, found: Mapping[tuple[str, UUID, LabelKind], int]
) -> dict[str, FactValue]:
    return {
        fact_name(kind, of): found.get((of, key, kind), 0)
        for of, key_kind in _OF.items()
        if (key := purchase.key_of(key_kind))
        for kind in BAD
    }
