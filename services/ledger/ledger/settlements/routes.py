from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.access import merchant_seen_by
from ledger.settlements.domain import SettlementState
from ledger.settlements.schemas import (
    PreviewRead,
    PreviewsRead,
    SettlementRead,
    SettlementRun,
    SettlementsRead,
)
from ledger.settlements.service import SettlementService

router = APIRouter(prefix="/v1/settlements", tags=["settlements"])


def _settlements(request: Request) -> SettlementService:
    return cast(SettlementService, request.app.state.settlements)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Settlements = Annotated[SettlementService, Depends(_settlements)]
Db = Annotated[Database, Depends(_db)]


@router.post("/preview", summary="What a run would settle")
async def preview_settlements(
    body: SettlementRun,
    settlements: Settlements,
    db: Db,
    _: Caller = caller("platform:write"),
) -> PreviewsRead:
    """Nothing is written, so it takes no Idempotency-Key."""
    async with db.read() as tx:
        found = await settlements.preview(tx, body.period_end, body.merchant_id)
    return PreviewsRead(items=[PreviewRead.from_domain(it) for it in found])


@router.post(
    "", status_code=202, response_model=SettlementsRead, summary="Settle what is not settled yet"
)
async def run_settlements(
    body: SettlementRun,
    settlements: Settlements,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    """Once per merchant, currency and period, however often it is called. They are open at first
    and close by themselves; a payout is proposed for each that has something to pay out.
    """

    async def work(tx: Transaction) -> SettlementsRead:
        found = await settlements.run(tx, body.period_end, body.merchant_id, f"{who.kind}:{who.id}")
        return SettlementsRead.from_domain(found)

    return await run(who, work, status=202)


@router.get("", summary="Settlements, newest first")
async def list_settlements(
    settlements: Settlements,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    state: Annotated[SettlementState | None, Query(description="only those that are so")] = None,
    merchant_id: Annotated[UUID | None, Query(description="only of this one")] = None,
    who: Caller = caller("ledger:read"),
) -> Page[SettlementRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await settlements.list_settlements(
            tx,
            merchant_seen_by(who, merchant_id),
            state=state,
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=SettlementRead.from_domain, position=lambda it: [it.id])


@router.get("/{settlement_id}", summary="One settlement")
async def get_settlement(
    settlement_id: UUID, settlements: Settlements, db: Db, who: Caller = caller("ledger:read")
) -> SettlementRead:
    async with db.read() as tx:
        found = await settlements.get_settlement(tx, merchant_seen_by(who), settlement_id)
        return SettlementRead.from_domain(found)
