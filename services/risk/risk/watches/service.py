from collections.abc import Collection, Sequence
from uuid import UUID

from kit.db import Transaction
from risk.counts import CountFact, KeyKind
from risk.watches.domain import Watch, Watched
from risk.watches.repository import WatchRepository


class WatchService:
    """What is counted for each merchant."""

    def __init__(self, repository: WatchRepository) -> None:
        self._repository = repository

    async def watch(
        self,
        tx: Transaction,
        merchant_id: UUID,
        counts: Sequence[CountFact],
        kinds: frozenset[KeyKind] = frozenset(),
    ) -> None:
        """From here on every purchase of the merchant takes turns on the keys of these counts, and
        on those of `kinds`.
        """
        watched = (await self._repository.find(tx, [merchant_id])).of[merchant_id]
        wanted = watched.with_counts(counts).with_kinds(kinds)
        if wanted != watched:
            await self._repository.extend(tx, merchant_id, wanted)

    async def watched(self, tx: Transaction, merchants: Collection[UUID]) -> Watched:
        """What is counted for each merchant, as far as is known: `record` looks again."""
        known = self._repository.remembered(merchants)
        return known or await self._repository.find(tx, merchants)

    async def find(self, tx: Transaction, merchants: Collection[UUID]) -> Watched:
        """As it is now."""
        return await self._repository.find(tx, merchants)

    async def lock(self, tx: Transaction, merchants: Collection[UUID]) -> dict[UUID, Watch]:
        """As it is until this transaction ends."""
        return await self._repository.lock(tx, merchants)
