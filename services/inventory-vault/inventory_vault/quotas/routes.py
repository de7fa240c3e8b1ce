from uuid import UUID

from fastapi import APIRouter

from inventory_vault.quotas.schemas import QuotaRead, QuotaSet
from inventory_vault.quotas.service import QuotaService
from kit.db import Database
from kit.http import Caller, caller


def quota_routes(db: Database, quotas: QuotaService) -> APIRouter:
    """How a pool's stock is shared out to channels."""
    router = APIRouter(prefix="/v1/pools/{pool_id}/quota", tags=["pools"])

    @router.put("", response_model=QuotaRead)
    async def set_quota(
        pool_id: UUID, body: QuotaSet, who: Caller = caller("stock:write")
    ) -> QuotaRead:
        """Units set aside for channels, and a buffer for those channels only; what is taken counts
        from now on. Holds of channels without a guarantee are refused (`out_of_stock`) what these
        need.
        """
        async with db.transaction() as tx:
            actor = f"{who.kind}:{who.id}"
            await quotas.set(tx, who.merchant, pool_id, body.to_domain(), requested_by=actor)
            return QuotaRead.of(pool_id, await quotas.get(tx, who.merchant, pool_id))

    @router.get("", response_model=QuotaRead)
    async def get_quota(pool_id: UUID, who: Caller = caller("stock:read")) -> QuotaRead:
        """What is guaranteed to whom, and how much of it is left."""
        async with db.read() as tx:
            return QuotaRead.of(pool_id, await quotas.get(tx, who.merchant, pool_id))

    @router.delete("", response_model=QuotaRead)
    async def remove_quota(pool_id: UUID, who: Caller = caller("stock:write")) -> QuotaRead:
        """The stock goes to every channel alike again."""
        async with db.transaction() as tx:
            actor = f"{who.kind}:{who.id}"
            await quotas.set(tx, who.merchant, pool_id, None, requested_by=actor)
            return QuotaRead.of(pool_id, None)

    return router
