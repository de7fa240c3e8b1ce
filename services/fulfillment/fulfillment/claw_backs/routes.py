"""What suppliers owe for bad units."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.claw_backs.domain import ClawBackState, SupplierDebt
from fulfillment.claw_backs.schemas import (
    ClawBackDecide,
    ClawBackRead,
    State,
    SupplierDebtRead,
)
from fulfillment.claw_backs.service import ClawBackService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/supplier-clawbacks", tags=["claims"])


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _claw_backs(request: Request) -> ClawBackService:
    return cast(ClawBackService, request.app.state.claw_backs)


Db = Annotated[Database, Depends(_db)]
ClawBacks = Annotated[ClawBackService, Depends(_claw_backs)]


@router.get("", summary="List what suppliers owe, unit by unit")
async def list_claw_backs(
    db: Db,
    claw_backs: ClawBacks,
    who: Caller = caller("claims:read"),
    page: PageRequest = Depends(page_request),
    supplier: Annotated[str | None, Query(max_length=200, description="Of this one only.")] = None,
    lot_id: Annotated[UUID | None, Query(description="Of this lot only.")] = None,
    state: Annotated[State | None, Query(description="`noted`: not answered yet.")] = None,
) -> Page[ClawBackRead]:
    """Each unit that was replaced or paid back, at what it had cost; newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await claw_backs.list_claw_backs(
            tx,
            who.merchant,
            supplier=supplier,
            lot_id=lot_id,
            state=state,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=ClawBackRead.from_domain, position=lambda it: [it.claim_id])


@router.get("/totals", summary="Sum up what suppliers owe")
async def list_supplier_debts(
    db: Db,
    claw_backs: ClawBacks,
    who: Caller = caller("claims:read"),
    page: PageRequest = Depends(page_request),
) -> Page[SupplierDebtRead]:
    """By supplier, lot and state."""
    position = page.after_as(str, UUID, str, str)
    async with db.read() as tx:
        found = await claw_backs.list_debts(
            tx,
            who.merchant,
            after=(position[0], position[1], position[2], position[3]) if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=SupplierDebtRead.from_domain, position=_place)


def _place(debt: SupplierDebt) -> list[object]:
    return [debt.supplier, debt.lot_id, debt.state.value, debt.amount.currency]


def _add_answer(path: str, state: ClawBackState, summary: str, explanation: str) -> None:
    @router.post(
        f"/{{claim_id}}/{path}",
        name=f"{path}_claw_back",
        status_code=200,
        response_model=ClawBackRead,
        summary=summary,
        description=explanation + " Once; 409 `claw_back_decided` if it was the other answer.",
    )
    async def answer(
        claim_id: UUID,
        body: ClawBackDecide,
        claw_backs: ClawBacks,
        run: Once = once(),
        who: Caller = caller("claims:write"),
    ) -> Response:
        async def work(tx: Transaction) -> ClawBackRead:
            done = await claw_backs.decide(
                tx,
                who.merchant,
                claim_id,
                state,
                reason=body.reason,
                who=f"{who.kind}:{who.id}",
            )
            return ClawBackRead.from_domain(done)

        return await run(who, work, status=200)


_add_answer(
    "accept",
    ClawBackState.ACCEPTED,
    "The supplier pays for it",
    "What is owed to the supplier becomes less, and the goods cost less.",
)
_add_answer(
    "refuse",
    ClawBackState.REFUSED,
    "The supplier does not pay for it",
    "The ledger takes the note back.",
)
