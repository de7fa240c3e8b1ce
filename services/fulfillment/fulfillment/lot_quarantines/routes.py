"""Lots that were stopped for their claims."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from fulfillment.lot_quarantines.schemas import LotQuarantineRead, LotRestore, State
from fulfillment.lot_quarantines.service import LotQuarantineService
from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/lot-quarantines", tags=["claims"])


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _lots(request: Request) -> LotQuarantineService:
    return cast(LotQuarantineService, request.app.state.lot_quarantines)


Db = Annotated[Database, Depends(_db)]
Lots = Annotated[LotQuarantineService, Depends(_lots)]


@router.get("", summary="List lots that were stopped")
async def list_lot_quarantines(
    db: Db,
    lots: Lots,
    who: Caller = caller("claims:read"),
    page: PageRequest = Depends(page_request),
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
) -> Page[LotQuarantineRead]:
    """Each with the figures that were out of line."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await lots.list_lots(
            tx,
            who.merchant,
            state=state,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(
        found, page, read=LotQuarantineRead.from_domain, position=lambda lot: [lot.lot_id]
    )


@router.post("/{lot_id}/restore", summary="Put a stopped lot back on the shelf")
async def restore_lot(
    lot_id: UUID, body: LotRestore, db: Db, lots: Lots, who: Caller = caller("claims:write")
) -> LotQuarantineRead:
    """Only claims that come from now on count against it. Repeats change nothing, so there is no
    Idempotency-Key. 409 `lot_not_quarantined`.
    """
    done = await lots.restore(
        db, who.merchant, lot_id, reason=body.reason, who=f"{who.kind}:{who.id}"
    )
    return LotQuarantineRead.from_domain(done)
