from typing import Protocol
from uuid import UUID

from fastapi import APIRouter, Response

from inventory_vault.vouchers.domain import Generation
from inventory_vault.vouchers.schemas import GenerationBegun, TermsPut, TermsRead, VouchersCreate
from inventory_vault.vouchers.service import VoucherService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once


class Desk(Protocol):
    """Where orders wait for a worker; both raise GenerationsBusy when it is full."""

    def require_room(self) -> None: ...

    def put(self, import_id: UUID, item: Generation) -> None: ...


def voucher_routes(db: Database, vouchers: VoucherService, desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["vouchers"])

    @router.post("/pools/{pool_id}/vouchers", status_code=202, response_model=GenerationBegun)
    async def generate(
        pool_id: UUID,
        body: VouchersCreate,
        who: Caller = caller("stock:write"),
        run: Once = once(),
    ) -> Response:
        """Makes voucher codes, seals them and puts them on the shelf as a lot. Answers at once;
        follow `GET /v1/imports/{id}`. Nobody is shown a code before it is sold.
        """
        desk.require_room()
        wanted = body.to_domain(who.merchant, pool_id, f"{who.kind}:{who.id}")

        async def work(tx: Transaction) -> GenerationBegun:
            import_id = await vouchers.begin(tx, wanted)
            tx.on_commit(lambda: desk.put(import_id, wanted))
            return GenerationBegun(import_id=import_id, lot_id=wanted.lot_id)

        return await run(
            who, work, status=202, location=lambda begun: f"/v1/imports/{begun.import_id}"
        )

    @router.put("/lots/{lot_id}/voucher-terms")
    async def put_terms(
        lot_id: UUID, body: TermsPut, who: Caller = caller("stock:write")
    ) -> TermsRead:
        """What the vouchers of a lot are worth, from when they are valid, and how many one buyer or
        shop may use: for imported vouchers too. 409 while one is held, and once one was sold.
        """
        terms = body.to_domain()
        async with db.transaction() as tx:
            await vouchers.set_terms(
                tx, who.merchant, lot_id, terms, requested_by=f"{who.kind}:{who.id}"
            )
        return TermsRead.from_domain(lot_id, terms)

    @router.get("/lots/{lot_id}/voucher-terms")
    async def get_terms(lot_id: UUID, who: Caller = caller("stock:read")) -> TermsRead:
        """The terms of the lot's vouchers."""
        async with db.read() as tx:
            return TermsRead.from_domain(lot_id, await vouchers.get_terms(tx, who.merchant, lot_id))

    return router
