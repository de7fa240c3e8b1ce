from uuid import UUID

from fastapi import APIRouter, Response

from inventory_vault.revocations.schemas import RevocationCreate, RevocationRead
from inventory_vault.revocations.service import RevocationService
from kit.db import Transaction
from kit.http import Caller, Once, caller, once


def revocation_routes(revocations: RevocationService) -> APIRouter:
    router = APIRouter(prefix="/v1/units", tags=["units"])

    @router.post("/{unit_id}/revoke", response_model=RevocationRead)
    async def revoke_unit(
        unit_id: UUID,
        body: RevocationCreate,
        who: Caller = caller("stock:write"),
        run: Once = once(),
    ) -> Response:
        """Takes a sold unit out of use for good, because it was replaced or paid back: it is shown
        and redeemed no more, and stays counted as sold. 409 `unit_not_sold`, `unit_redeemed`.
        """

        async def work(tx: Transaction) -> RevocationRead:
            done = await revocations.revoke(
                tx,
                who.merchant,
                unit_id,
                reason=body.reason,
                requested_by=f"{who.kind}:{who.id}",
            )
            return RevocationRead.from_domain(done)

        return await run(who, work, status=200)

    return router
