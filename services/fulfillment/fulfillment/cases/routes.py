"""Cases for operators."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.cases.schemas import CaseClose, CaseRead, State
from fulfillment.cases.service import CaseService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/cases", tags=["cases"])
READ = "suppliers:read"
WRITE = "suppliers:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _cases(request: Request) -> CaseService:
    return cast(CaseService, request.app.state.cases)


Db = Annotated[Database, Depends(_db)]
Cases = Annotated[CaseService, Depends(_cases)]


@router.get("", summary="List cases")
async def list_cases(
    db: Db,
    cases: Cases,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    state: Annotated[State | None, Query(description="`open`: what is still to be done.")] = None,
    kind: Annotated[str | None, Query(max_length=64, description="Only of this kind.")] = None,
) -> Page[CaseRead]:
    """What about buying waits for a person: late successes, refused codes, differences of
    statements, lists that cannot be believed. The newest first.
    """
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await cases.list_cases(
            tx,
            who.merchant,
            kind=kind,
            state=state,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=CaseRead.from_domain, position=lambda it: [it.id])


@router.get("/{case_id}", summary="Read a case")
async def read_case(case_id: UUID, db: Db, cases: Cases, who: Caller = caller(READ)) -> CaseRead:
    async with db.read() as tx:
        return CaseRead.from_domain(await cases.get(tx, who.merchant, case_id))


@router.post("/{case_id}/close", response_model=CaseRead, summary="Close a case")
async def close_case(
    case_id: UUID,
    body: CaseClose,
    cases: Cases,
    run: Once = once(),
    who: Caller = caller(WRITE),
) -> Response:
    """Says what was done about it. Once: a closed case stays as it was closed."""

    async def work(tx: Transaction) -> CaseRead:
        closed = await cases.close(
            tx,
            who.merchant,
            case_id,
            who.id,
            body.resolution,
            supplier_pays=body.supplier_pays,
        )
        return CaseRead.from_domain(closed)

    return await run(who, work, status=200)
