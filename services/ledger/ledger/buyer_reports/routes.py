from datetime import timedelta
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from kit.db import Database
from kit.http import Caller, caller
from ledger.buyer_reports.domain import COHORT_DAYS
from ledger.buyer_reports.service import BuyerService
from ledger.periods import Period
from ledger.report_answers import CSV_RESPONSE, Papers, Periods, ReportRead

router = APIRouter(prefix="/v1/reports", tags=["reports"])


def _buyers(request: Request) -> BuyerService:
    return cast(BuyerService, request.app.state.buyer_reports)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Buyers = Annotated[BuyerService, Depends(_buyers)]
Db = Annotated[Database, Depends(_db)]


@router.get("/cohorts", responses=CSV_RESPONSE, response_model=ReportRead, summary="Cohorts")
async def cohorts(
    request: Request,
    period: Periods,
    paper: Papers,
    buyers: Buyers,
    db: Db,
    who: Caller = caller("ledger:read"),
) -> Response:
    """Buyers by the month of their first paid order, month by month after it: how many bought, how
    often, for how much. A year if no period is given.
    """
    if "from" not in request.query_params:
        since = period.until - timedelta(days=COHORT_DAYS)
        period = Period.of(since, period.until, period.zone)
    async with db.read() as tx:
        return paper.answer(await buyers.cohorts(tx, who.merchant, period))


@router.get("/repurchase", responses=CSV_RESPONSE, response_model=ReportRead, summary="Repurchase")
async def repurchase(
    period: Periods,
    paper: Papers,
    buyers: Buyers,
    db: Db,
    group_by: Annotated[
        Literal["", "channel"], Query(description="the channel of the buyer's first order")
    ] = "",
    who: Caller = caller("ledger:read"),
) -> Response:
    """Of the buyers who first bought in the period: who bought again within 30, 60, 90 days."""
    async with db.read() as tx:
        return paper.answer(
            await buyers.repurchase(tx, who.merchant, period, by_channel=group_by == "channel")
        )
