from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.clock import Clock
from kit.db import Database, Transaction
from kit.http import Caller, Once, Timestamp, caller, once
from kit.http.callers import PLATFORM
from kit.paging import Page, PageRequest, page_of, page_request
from risk.assessments.domain import Assessment, NotAllAllowed
from risk.assessments.schemas import (
    AssessmentAnswer,
    AssessmentAsk,
    AssessmentRead,
    OrdersAnswer,
    OrdersAsk,
    ReplayRead,
    ShadowReportRead,
)
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


@router.post(
    "/v1/order-assessments",
    summary="Judge orders while they are placed, for `order`",
    description="What is not allowed is not recorded: it is judged once it is placed. Send it once "
    "for each order; a repeat is answered with null.",
)
async def allow_early(
    body: OrdersAsk,
    assessments: Assessments,
    db: Db,
    clock: Annotated[Clock, Depends(_clock)],
    _: Caller = caller(PLATFORM),
) -> OrdersAnswer:
    wanted = body.to_domain(clock.now())
    allowed: Mapping[UUID, Assessment] = {}
    left = wanted
    while left:
        try:
            async with db.transaction() as tx:
                allowed = await assessments.allow_early(tx, left)
            break
        except NotAllAllowed as error:
            left = [it for it in left if it.id in error.allowed]
    return OrdersAnswer(items=[allowed[it.id].id if it.id in allowed else None for it in wanted])


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


@router.get("/v1/assessments/{assessment_id}", summary="One recorded assessment")
async def get_assessment(
    assessment_id: UUID, assessments: Assessments, db: Db, who: Caller = caller("risk:read")
) -> AssessmentRead:
    async with db.read() as tx:
        found = await assessments.get_assessment(tx, who.merchant, assessment_id)
    return AssessmentRead.from_domain(found)


@router.post(
    "/v1/assessments/{assessment_id}/replay",
    summary="Make a recorded decision again",
    description="From its facts and the versions of the rules in force then; changes nothing.",
)
async def replay_assessment(
    assessment_id: UUID, assessments: Assessments, db: Db, who: Caller = caller("risk:read")
) -> ReplayRead:
    async with db.read() as tx:
        return ReplayRead.from_domain(await assessments.replay(tx, who.merchant, assessment_id))


@router.get("/v1/shadow-report", summary="How shadow rules did beside the live ones")
async def shadow_report(
    assessments: Assessments,
    db: Db,
    clock: Annotated[Clock, Depends(_clock)],
    since: Annotated[
        Timestamp | None, Query(alias="from", description="a week ago when left out")
    ] = None,
    until: Annotated[Timestamp | None, Query(alias="to", description="now when left out")] = None,
    who: Caller = caller("risk:read"),
) -> ShadowReportRead:
    end = until or clock.now()
    async with db.read() as tx:
        report = await assessments.shadow_report(
            tx, who.merchant, since or end - timedelta(days=7), end
        )
    return ShadowReportRead.from_domain(report)
