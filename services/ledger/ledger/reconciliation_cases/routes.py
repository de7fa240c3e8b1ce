from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.reconciliation_cases.domain import CaseState
from ledger.reconciliation_cases.schemas import CaseClose, CaseRead
from ledger.reconciliation_cases.service import ReconciliationCaseService

router = APIRouter(tags=["reconciliation"])


def _cases(request: Request) -> ReconciliationCaseService:
    return cast(ReconciliationCaseService, request.app.state.reconciliation_cases)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Cases = Annotated[ReconciliationCaseService, Depends(_cases)]
Db = Annotated[Database, Depends(_db)]
Paging = Annotated[PageRequest, Depends(page_request)]


@router.get("/v1/reconciliation-cases", summary="Differences, newest first")
async def list_cases(
    db: Db,
    cases: Cases,
    page: Paging,
    state: CaseState | None = None,
    reconciliation_id: Annotated[UUID | None, Query(description="found by this one")] = None,
    who: Caller = caller("ledger:read"),
) -> Page[CaseRead]:
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await cases.list_cases(
            tx,
            who.merchant,
            state=state,
            reconciliation_id=reconciliation_id,
            before=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=CaseRead.from_domain, position=lambda it: [it.id])


@router.post(
    "/v1/reconciliation-cases/{case_id}/close",
    response_model=CaseRead,
    summary="Close a case with a reason",
    description="Kept with who closed it and when. Once: then 409 `reconciliation_case_closed`.",
)
async def close_case(
    case_id: UUID,
    body: CaseClose,
    cases: Cases,
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    async def work(tx: Transaction) -> CaseRead:
        closed = await cases.close(
            tx,
            who.merchant,
            case_id,
            by=f"{who.kind}:{who.id}",
            reason=body.reason,
            as_rounding=body.as_rounding,
        )
        return CaseRead.from_domain(closed)

    return await run(who, work, status=200)
