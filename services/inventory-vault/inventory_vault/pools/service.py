from collections.abc import Collection
from uuid import UUID

from inventory_vault.pools import repository
from inventory_vault.pools.domain import Pool, PoolNotFound, UnitKind
from kit.db import Transaction
from kit.ids import new_id


class PoolService:
    """Pools by themselves; what stands in them is the business of `lots`."""

    async def create(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        name: str,
        unit_kind: UnitKind,
        low_stock_threshold: int | None,
    ) -> Pool:
        return await repository.add(
            tx,
            {
                "id": new_id(),
                "merchant_id": merchant_id,
                "name": name,
                "unit_kind": unit_kind.value,
                "low_stock_threshold": low_stock_threshold,
            },
        )

    async def get(self, tx: Transaction, merchant_id: UUID, pool_id: UUID) -> Pool:
        """Raises PoolNotFound."""
        pool = await repository.find(tx, merchant_id, pool_id)
        if pool is None:
            raise PoolNotFound(f"pool {pool_id} does not exist, or it is not yours")
        return pool

    async def list_of(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[Pool]:
        return await repository.list_of(tx, merchant_id, after=after, limit=limit)

    async def lock(self, tx: Transaction, pool_ids: Collection[UUID]) -> dict[UUID, Pool]:
        """The existing ones of these pools, locked in a fixed order. Nobody else moves their stock
        until `tx` ends, so statements after this one see the newest stock.
        """
        return {pool.id: pool for pool in await repository.lock(tx, sorted(pool_ids))}
