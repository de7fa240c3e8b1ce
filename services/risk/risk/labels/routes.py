from datetime import timedelta
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request

from kit.clock import Clock
from kit.db import Database
from kit.http import Caller, Timestamp, caller
from risk.labels.schemas import RuleReportRead, RuleWorthRead
from risk.labels.service import LabelService

router = APIRouter(prefix="/v1/reports", tags=["reports"])

DAYS = timedelta(days=30)


def _labels(request: Request) -> LabelService:
    return cast(LabelService, request.app.state.labels)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


@router.get("/rules", summary="What each rule fired on, and what became of it")
async def report_rules(
    labels: Annotated[LabelService, Depends(_labels)],
    db: Annotated[Database, Depends(_db)],
    clock: Annotated[Clock, Depends(_clock)],
    since: Annotated[
        Timestamp | None, Query(alias="from", description="assessed then or later; 30 days ago")
    ] = None,
    until: Annotated[Timestamp | None, Query(alias="to", description="before; now")] = None,
    who: Caller = caller("risk:read"),
) -> RuleReportRead:
    """Refunds, claims and chargebacks come back as labels: they say how good a rule is."""
    end = until or clock.now()
    async with db.read() as tx:
        found = await labels.report(tx, who.merchant, since or end - DAYS, end)
    return RuleReportRead(items=[RuleWorthRead.from_domain(worth) for worth in found])
