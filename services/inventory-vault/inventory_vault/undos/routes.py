from uuid import UUID

from fastapi import APIRouter, Response

from inventory_vault.undos.schemas import UndoCreate, UndoRead
from inventory_vault.undos.service import UndoService
from kit.db import Transaction
from kit.http import Caller, Once, caller, once


def undo_routes(undos: UndoService) -> APIRouter:
    router = APIRouter(prefix="/v1/lots", tags=["lots"])

    @router.post("/{lot_id}/undo", response_model=UndoRead)
    async def undo_lot(
        lot_id: UUID,
        body: UndoCreate,
        who: Caller = caller("stock:write"),
        run: Once = once(),
    ) -> Response:
        """Takes a lot back as if it had not been imported; only while no unit of it is held or
        sold. It leaves the shelf at once; its codes can be imported again some seconds later.
        """

        async def work(tx: Transaction) -> UndoRead:
            lot = await undos.undo(
                tx,
                who.merchant,
                lot_id,
                reason=body.reason,
                requested_by=f"{who.kind}:{who.id}",
            )
            return UndoRead.from_domain(lot)

        return await run(who, work, status=200)

    return router
