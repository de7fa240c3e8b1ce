from collections.abc import Mapping, Sequence
from uuid import UUID

from inventory_vault.audit.domain import Fact
from inventory_vault.audit.service import note
from inventory_vault.pools.domain import Pool, PoolNotFound
from inventory_vault.pools.service import PoolService
from inventory_vault.quotas import repository
from inventory_vault.quotas.domain import NO_QUOTAS, Guarantee, Quota, QuotaBook
from inventory_vault.quotas.repository import Use
from kit.db import Transaction


class QuotaService:
    """Shares a pool's stock out to channels. The pool's lock makes every count exact."""

    def __init__(self, pools: PoolService) -> None:
        self._pools = pools

    async def open(self, tx: Transaction, pools: Mapping[UUID, Pool]) -> QuotaBook:
        """Of locked pools; without a statement when none of them has a quota."""
        buffers = {
            pool.id: pool.quota_buffer for pool in pools.values() if pool.quota_buffer is not None
        }
        if not buffers:
            return NO_QUOTAS
        found = await repository.guarantees_of(tx, buffers)
        return QuotaBook(
            buffers,
            {
                pool_id: {guarantee.channel_id: guarantee.left for guarantee in guarantees}
                for pool_id, guarantees in found.items()
            },
        )

    async def write(self, tx: Transaction, uses: Sequence[Use]) -> None:
        """What new holds take of guarantees."""
        if uses:
            await repository.add_uses(tx, uses)

    async def give_back(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> None:
        """What these reservations took refills its guarantees; the pools are locked."""
        if reservation_ids:
            await repository.give_back(tx, reservation_ids)

    async def give_part_back(
        self, tx: Transaction, parts: Sequence[tuple[UUID, UUID, int]]
    ) -> None:
        """`parts`: (reservation, pool, units) that were claimed by nobody; the pools are locked."""
        if parts:
            await repository.give_part_back(tx, parts)

    async def forget(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> None:
        """These are sold: what they took stays taken."""
        if reservation_ids:
            await repository.forget(tx, reservation_ids)

    async def get(self, tx: Transaction, merchant_id: UUID, pool_id: UUID) -> Quota | None:
        """None when the stock goes to everybody alike. Raises PoolNotFound."""
        pool = await self._pools.get(tx, merchant_id, pool_id)
        if pool.quota_buffer is None:
            return None
        guarantees = await repository.guarantees_of(tx, [pool_id])
        return Quota(pool.quota_buffer, guarantees[pool_id])

    async def set(
        self,
        tx: Transaction,
        merchant_id: UUID,
        pool_id: UUID,
        quota: Quota | None,
        *,
        requested_by: str,
    ) -> None:
        """Every guarantee begins anew: nothing is taken of it yet. Raises PoolNotFound."""
        pool = (await self._pools.lock(tx, [pool_id])).get(pool_id)
        if pool is None or pool.merchant_id != merchant_id:
            raise PoolNotFound(f"pool {pool_id} does not exist, or it is not yours")
        guarantees: Sequence[Guarantee] = quota.guarantees if quota else ()
        await repository.replace(
            tx,
            pool_id,
            merchant_id,
            quota.buffer if quota else None,
            [(guarantee.channel_id, guarantee.guaranteed) for guarantee in guarantees],
        )
        guaranteed: dict[str, Fact] = {str(it.channel_id): it.guaranteed for it in guarantees}
        note(
            tx,
            "pool.quota_set",
            pool_id,
            merchant_id=merchant_id,
            actor=requested_by,
            buffer=quota.buffer if quota else None,
            guaranteed=guaranteed,
        )
