from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.clock import Clock
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from risk.assessments.schemas import AssessmentAnswer, AssessmentAsk, AssessmentRead
from risk.assessments.service import AssessmentService

router = APIRouter(tags=["assessments"])


def _assessments(request: Request) -> AssessmentService:
    return cast(AssessmentService, request.app.state.assessments)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


Assessments = Annotated[AssessmentService, Depends(_assessments)]
Db = Annotated[Database, Depends(_db)]


@router.post(
    "/v1/assessments",
    status_code=200,
    response_model=AssessmentAnswer,
    summary="Judge a purchase now, for shops that ask",
    description="Records nothing unless `record` is true; a recorded purchase counts from then on.",
)
async def assess(
    body: AssessmentAsk,
    assessments: Assessments,
    clock: Annotated[Clock, Depends(_clock)],
    run: Once = once(),
    who: Caller = caller("risk:write"),
) -> Response:
    purchase = body.to_domain(who.merchant, clock.now())

    async def work(tx: Transaction) -> AssessmentAnswer:
        judge = assessments.assess_one if body.record else assessments.preview
        return AssessmentAnswer.from_domain(await judge(tx, purchase), is_recorded=body.record)

    return await run(who, work, status=200)


@router.get("/v1/assessments", summary="Recorded assessments, newest first")
async def list_assessments(
    assessments: Assessments,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    order_id: Annotated[UUID | None, Query(description="only of this order")] = None,
    who: Caller = caller("risk:read"),
) -> Page[AssessmentRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await assessments.list_assessments(
            tx,
            who.merchant,
            order_id=order_id,
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=AssessmentRead.from_domain, position=lambda it: [it.id])
