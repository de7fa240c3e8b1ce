"""Procurements for operators."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.procurement.schemas import (
    ProcurementCreate,
    ProcurementDecline,
    ProcurementRead,
    State,
)
from fulfillment.procurement.service import ProcurementService, Wish
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/procurements", tags=["procurement"])
READ = "suppliers:read"
WRITE = "suppliers:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _procurements(request: Request) -> ProcurementService:
    return cast(ProcurementService, request.app.state.procurements)


Db = Annotated[Database, Depends(_db)]
Procurements = Annotated[ProcurementService, Depends(_procurements)]


@router.post("", status_code=201, response_model=ProcurementRead, summary="Buy into stock")
async def create_procurement(
    body: ProcurementCreate,
    procurements: Procurements,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """Buys codes of suppliers into a pool, the best offer first; they are sealed as they come. What
    it may cost is taken out of the pool's budget at once, what it did not cost goes back.
    """

    async def work(tx: Transaction) -> ProcurementRead:
        wish = Wish(
            merchant_id=who.merchant,
            pool_id=body.pool_id,
            quantity=body.quantity,
            requested_by=who.id,
            offer_id=body.supplier_product_id,
            budget=body.budget.to_domain() if body.budget else None,
        )
        return ProcurementRead.from_domain(await procurements.plan(tx, wish))

    return await run(who, work, location=lambda made: f"/v1/procurements/{made.id}")


@router.get("", summary="List procurements")
async def list_procurements(
    db: Db,
    procurements: Procurements,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    pool_id: Annotated[UUID | None, Query(description="Only into this pool.")] = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
) -> Page[ProcurementRead]:
    """What was and is bought into stock, newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await procurements.list_procurements(
            tx,
            who.merchant,
            pool_id=pool_id,
            state=state,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=ProcurementRead.from_domain, position=lambda it: [it.id])


@router.get("/{procurement_id}", summary="Read a procurement")
async def read_procurement(
    procurement_id: UUID, db: Db, procurements: Procurements, who: Caller = caller(READ)
) -> ProcurementRead:
    async with db.read() as tx:
        return ProcurementRead.from_domain(await procurements.get(tx, who.merchant, procurement_id))


@router.post(
    "/{procurement_id}/approve",
    response_model=ProcurementRead,
    summary="Agree to a procurement",
)
async def approve_procurement(
    procurement_id: UUID,
    procurements: Procurements,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """It is bought now. Once: what was decided stays decided."""

    async def work(tx: Transaction) -> ProcurementRead:
        key = who.merchant, procurement_id, who.id
        return ProcurementRead.from_domain(await procurements.decide(tx, *key, is_approved=True))

    return await run(who, work, status=200)


@router.post(
    "/{procurement_id}/decline",
    response_model=ProcurementRead,
    summary="Refuse a procurement",
)
async def decline_procurement(
    procurement_id: UUID,
    body: ProcurementDecline,
    procurements: Procurements,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """Nothing is bought, and its budget goes back."""

    async def work(tx: Transaction) -> ProcurementRead:
        key = who.merchant, procurement_id, who.id
        return ProcurementRead.from_domain(
            await procurements.decide(tx, *key, is_approved=False, reason=body.reason)
        )

    return await run(who, work, status=200)
