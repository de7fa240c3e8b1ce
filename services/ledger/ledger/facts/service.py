from collections.abc import Sequence

from kit.db import Transaction
from ledger.facts.domain import ClaimNews, LotNews, OrderNews, SoldLine, merge
from ledger.facts.repository import FactRepository


class FactService:
    """Takes what events tell; the same again changes nothing."""

    def __init__(self, repository: FactRepository) -> None:
        self._repository = repository

    async def tell_orders(self, tx: Transaction, news: Sequence[OrderNews]) -> None:
        await self._repository.add_orders(tx, merge(news))

    async def tell_lots(self, tx: Transaction, news: Sequence[LotNews]) -> None:
        await self._repository.add_lots(tx, merge(news))

    async def tell_claims(self, tx: Transaction, news: Sequence[ClaimNews]) -> None:
        await self._repository.add_claims(tx, merge(news))

    async def tell_sold(self, tx: Transaction, lines: Sequence[SoldLine]) -> None:
        if lines:
            await self._repository.add_units(tx, lines)
