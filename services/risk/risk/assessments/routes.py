from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.clock import Clock
from kit.combine import Combiner
from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.http import Caller, Once, Timestamp, caller, once
from kit.http.callers import PLATFORM
from kit.http.once import answer, model_bytes
from kit.http.together import Together
from kit.paging import Page, PageRequest, page_of, page_request
from kit.standby import Standby
from risk.assessments.domain import AlreadyAssessed, Assessment, NotAllAllowed
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
from risk.velocity.domain import Purchase

CALLS_TOGETHER_MAX = 20
"""Calls about orders that share a transaction; order sends up to 200 of them in one."""
PREVIEWS_AT_ONCE_MAX = 2
PREVIEWS_TOGETHER_MAX = 20
"""Decisions that are only asked for, in one statement."""

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
    description="Records nothing unless `record` is true; a recorded purchase counts from then on. "
    "Asked again without `record` about a reference that is recorded, it counts twice in the "
    "answer, as recorded and as asked about: read its assessment instead.",
)
async def assess(
    request: Request,
    body: AssessmentAsk,
    assessments: Assessments,
    clock: Annotated[Clock, Depends(_clock)],
    run: Once = once(),
    who: Caller = caller("risk:write"),
) -> Response:
    purchase = body.to_domain(who.merchant, clock.now())
    if body.record:
        recording = cast("Together[Purchase]", request.app.state.recording)
        return await recording(run, who, purchase)

    if run.has_key:
        asking = cast("Together[Purchase]", request.app.state.asking)
        return await asking(run, who, purchase)
    preview = cast("Preview", request.app.state.preview)
    return answer(model_bytes(_previewed(await preview(purchase))), 200, None)


def _previewed(made: Assessment) -> AssessmentAnswer:
    return AssessmentAnswer.from_domain(made, is_recorded=False)


Preview = Combiner[Purchase, Assessment]


def preview_together(db: Database, assessments: AssessmentService, standby: Standby) -> Preview:
    """One statement on a connection that is at hand, for merchants that are known here. Calls that
    come while PREVIEWS_AT_ONCE_MAX of them are under way share the next: else as many as come would
    take connections, of which others have need.
    """

    async def work(purchases: Sequence[Purchase]) -> Sequence[Assessment | BaseException]:
        try:
            opened = standby.read() if assessments.only_reads(purchases) else db.transaction()
            async with opened as tx:
                return await assessments.preview(tx, purchases)
        except Exception as error:
            if len(purchases) == 1 or isinstance(error, Unavailable):
                return [error] * len(purchases)
            return [answer for it in purchases for answer in await work([it])]

    return Combiner(work, batch_max=PREVIEWS_TOGETHER_MAX, lanes=PREVIEWS_AT_ONCE_MAX)


def ask_together(
    db: Database, assessments: AssessmentService, standby: Standby
) -> Together[Purchase]:
    """As `preview_together`, for calls with an Idempotency-Key: what is answered is kept."""
    return Together(
        db,
        assessments.preview,
        read=_previewed,
        status=200,
        batch_max=PREVIEWS_TOGETHER_MAX,
        lanes=PREVIEWS_AT_ONCE_MAX,
        standby=standby,
    )


def record_together(
    db: Database, assessments: AssessmentService, standby: Standby
) -> Together[Purchase]:
    """Purchases that come while others are recorded share the next transaction. One at a time: two
    would wait for each other's keys.
    """

    async def work(
        tx: Transaction, purchases: Sequence[Purchase]
    ) -> Sequence[Assessment | AlreadyAssessed]:
        made = {it.purchase.id: it for it in await assessments.assess(tx, purchases)}
        return [_first(it, made) for it in purchases]

    return Together(db, work, read=_recorded, status=200, lanes=1, standby=standby)


def _first(purchase: Purchase, made: dict[UUID, Assessment]) -> Assessment | AlreadyAssessed:
    """Of two calls about one purchase only the first recorded it."""
    return made.pop(purchase.id, None) or AlreadyAssessed(reference=purchase.reference)


def _recorded(made: Assessment) -> AssessmentAnswer:
    return AssessmentAnswer.from_domain(made, is_recorded=True)


@router.post(
    "/v1/order-assessments",
    summary="Judge orders while they are placed, for `order`",
    description="What is not allowed is not recorded: it is judged once it is placed. Send it once "
    "for each order; a repeat is answered with null.",
)
async def allow_early(
    request: Request,
    body: OrdersAsk,
    clock: Annotated[Clock, Depends(_clock)],
    _: Caller = caller(PLATFORM),
) -> OrdersAnswer:
    wanted = body.to_domain(clock.now())
    allowing = cast("Allowing", request.app.state.allowing)
    return OrdersAnswer(items=[it and it.id for it in await allowing(wanted)])


_Allowed = Sequence[Assessment | None]
Allowing = Combiner[Sequence[Purchase], _Allowed]


def allow_together(db: Database, assessments: AssessmentService) -> Allowing:
    """Calls that come while others are served share the next transaction. When it fails they are
    served one by one: an order whose decision is known by then is answered with null.
    """

    async def work(calls: Sequence[Sequence[Purchase]]) -> Sequence[_Allowed | BaseException]:
        try:
            allowed = await _allow(db, assessments, [it for some in calls for it in some])
        except Exception as error:
            if len(calls) == 1:
                return [error]
            return [answer for some in calls for answer in await work([some])]
        return [[allowed.get(it.id) for it in some] for some in calls]

    return Combiner(work, batch_max=CALLS_TOGETHER_MAX)


async def _allow(
    db: Database, assessments: AssessmentService, purchases: Sequence[Purchase]
) -> Mapping[UUID, Assessment]:
    left = purchases
    while left:
        try:
            async with db.transaction({it.merchant_id for it in left}) as tx:
                return await assessments.allow_early(tx, left)
        except NotAllAllowed as error:
            left = [it for it in left if it.id in error.allowed]
    return {}


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
