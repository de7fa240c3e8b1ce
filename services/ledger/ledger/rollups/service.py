"""Rolls up the postings that were chained, and makes all roll-ups anew, to the same numbers."""

from collections.abc import AsyncIterator
from uuid import UUID

from kit.db import Database, Transaction
from ledger.rollups.domain import Progress
from ledger.rollups.repository import RollupRepository

FACTS_TOGETHER = 20_000
_PARTS = {"orders": "order_fact", "units": "unit_fact"}
_NO_ID = UUID(int=0)


class RollupService:
    def __init__(self, repository: RollupRepository) -> None:
        self._repository = repository

    async def follow(self, tx: Transaction, batch_no: int) -> None:
        """Adds the postings of a batch of the chain; in the transaction that made the batch, so
        each is counted once.
        """
        await self._repository.add_chained(tx, batch_no)

    async def rebuild(self, db: Database) -> AsyncIterator[Progress]:
        """In one transaction: readers see the old numbers until it ends, consumers of facts and the
        chain wait, posting goes on. Cut off, it has changed nothing.
        """
        async with db.transaction() as tx:
            await self._repository.lock(tx)
            await self._repository.empty(tx)
            yield Progress("emptied", 1, 1)
            months = await self._repository.list_months(tx)
            for done, (merchant_id, since, until) in enumerate(months, 1):
                await self._repository.add_postings(tx, merchant_id, since, until)
                yield Progress("postings", done, len(months))
            for part, table in _PARTS.items():
                cuts = await self._repository.list_cuts(tx, table, FACTS_TOGETHER)
                for done, (after, until_id) in enumerate(
                    zip([_NO_ID, *cuts], cuts, strict=False), 1
                ):
                    await self._repository.add_facts(tx, part, after, until_id)
                    yield Progress(part, done, len(cuts))
            await self._repository.add_buyers(tx)
            yield Progress("buyers", 1, 1)
