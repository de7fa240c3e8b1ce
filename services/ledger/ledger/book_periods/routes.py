from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.book_periods.schemas import PeriodChangeRead, PeriodClose, PeriodReopen
from ledger.book_periods.service import PeriodService

router = APIRouter(tags=["periods"])


def _periods(request: Request) -> PeriodService:
    return cast(PeriodService, request.app.state.periods)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Periods = Annotated[PeriodService, Depends(_periods)]
Db = Annotated[Database, Depends(_db)]


@router.get("/v1/periods", summary="When books were closed and reopened, newest first")
async def list_period_changes(
    periods: Periods,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    who: Caller = caller("ledger:read"),
) -> Page[PeriodChangeRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await periods.list_changes(
            tx, who.merchant, before=before[0] if before else None, limit=page.limit + 1
        )
    return page_of(found, page, read=PeriodChangeRead.from_domain, position=lambda it: [it.id])


@router.post(
    "/v1/periods/close",
    status_code=201,
    response_model=PeriodChangeRead,
    summary="Close the books up to a moment",
    description="What is posted by hand into a closed period is refused with 409 `period_closed`; "
    "events that come late are posted at its end, with the time they happened.",
)
async def close_period(
    body: PeriodClose,
    periods: Periods,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    async def work(tx: Transaction) -> PeriodChangeRead:
        change = await periods.close(
            tx, who.merchant, body.until, reason=body.reason, requested_by=f"{who.kind}:{who.id}"
        )
        return PeriodChangeRead.from_domain(change)

    return await run(who, work)


@router.post(
    "/v1/periods/reopen",
    status_code=201,
    response_model=PeriodChangeRead,
    summary="Open closed books again",
    description="It stays on record who did it and why.",
)
async def reopen_period(
    body: PeriodReopen,
    periods: Periods,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    async def work(tx: Transaction) -> PeriodChangeRead:
        change = await periods.reopen(
            tx, who.merchant, body.until, reason=body.reason, requested_by=f"{who.kind}:{who.id}"
        )
        return PeriodChangeRead.from_domain(change)

    return await run(who, work)
