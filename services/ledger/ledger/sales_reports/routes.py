from collections.abc import Sequence
from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from kit.db import Database, Transaction
from kit.http import Caller, caller
from ledger.periods import Bucket, Period
from ledger.report_answers import CSV_RESPONSE, Papers, Periods, ReportRead
from ledger.sales_reports.domain import TIME_DIMENSIONS, OnlyByChannel, Question
from ledger.sales_reports.schemas import Filters, Group, Sort, dimensions_of
from ledger.sales_reports.service import SalesService

router = APIRouter(prefix="/v1/reports", tags=["reports"])

SALES = ("paid", "delivered", "refunded", "units", "sales", "discounts", "refunds", "net_sales")
MARGIN = ("units", "sales", "discounts", "refunds", "cost", "fees", "margin", "margin_rate")
TRENDS = (
    "placed", "paid", "delivered", "refunded", "units", "sales", "discounts", "refunds", "cost",
    "fees", "margin",
)  # fmt: skip
BEST = ("units", "sales", "refunds", "cost", "fees", "margin", "margin_rate")
CONVERSION = (
    "placed", "paid", "delivered", "refunded", "ended", "paid_rate", "delivered_rate",
    "refunded_rate", "ended_rate",
)  # fmt: skip


def _sales(request: Request) -> SalesService:
    return cast(SalesService, request.app.state.sales_reports)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Sales = Annotated[SalesService, Depends(_sales)]
Db = Annotated[Database, Depends(_db)]
Where = Annotated[Filters, Depends()]
Compare = Annotated[
    Literal["none", "previous"], Query(description="beside the same group of the period before")
]
Cut = Annotated[Bucket | None, Query(description="one row per bucket and group")]


@router.get("/sales", responses=CSV_RESPONSE, response_model=ReportRead, summary="Sales")
async def sales(
    period: Periods,
    paper: Papers,
    reports: Sales,
    db: Db,
    where: Where,
    group_by: Group = "",
    bucket: Cut = None,
    sort: Sort = "sales",
    compare: Compare = "none",
    who: Caller = caller("ledger:read"),
) -> Response:
    """What was sold, highest first. `group_by=channel,product` makes a row of each pair."""
    question = _question(who, period, where, group_by, bucket, sort)
    async with db.read() as tx:
        return await _answer(tx, reports, paper, "sales", question, SALES, compare)


@router.get("/margin", responses=CSV_RESPONSE, response_model=ReportRead, summary="Gross margin")
async def margin(
    period: Periods,
    paper: Papers,
    reports: Sales,
    db: Db,
    where: Where,
    group_by: Group = "product",
    bucket: Cut = None,
    sort: Sort = "sales",
    compare: Compare = "none",
    who: Caller = caller("ledger:read"),
) -> Response:
    """Sales less refunds, the cost of the very lots, and fees; by lot and supplier too."""
    question = _question(who, period, where, group_by, bucket, sort)
    async with db.read() as tx:
        return await _answer(tx, reports, paper, "margin", question, MARGIN, compare)


@router.get("/trends", responses=CSV_RESPONSE, response_model=ReportRead, summary="Trends")
async def trends(
    period: Periods,
    paper: Papers,
    reports: Sales,
    db: Db,
    where: Where,
    group_by: Group = "",
    bucket: Bucket = Bucket.DAY,
    compare: Compare = "previous",
    who: Caller = caller("ledger:read"),
) -> Response:
    """A row per hour, day, week or month, each beside the same one of the period before."""
    question = _question(who, period, where, group_by, bucket, None)
    async with db.read() as tx:
        return await _answer(tx, reports, paper, "trends", question, TRENDS, compare)


@router.get(
    "/best-sellers", responses=CSV_RESPONSE, response_model=ReportRead, summary="Best sellers"
)
async def best_sellers(
    period: Periods,
    paper: Papers,
    reports: Sales,
    db: Db,
    where: Where,
    group_by: Group = "product,sku",
    sort: Sort = "units",
    compare: Compare = "none",
    who: Caller = caller("ledger:read"),
) -> Response:
    """Products by units sold, or by sales with `sort=sales`."""
    question = _question(who, period, where, group_by, None, sort)
    async with db.read() as tx:
        return await _answer(tx, reports, paper, "best-sellers", question, BEST, compare)


@router.get("/conversion", responses=CSV_RESPONSE, response_model=ReportRead, summary="Conversion")
async def conversion(
    period: Periods,
    paper: Papers,
    reports: Sales,
    db: Db,
    where: Where,
    group_by: Group = "channel",
    bucket: Cut = None,
    compare: Compare = "none",
    who: Caller = caller("ledger:read"),
) -> Response:
    """What became of the orders placed in the period: paid, delivered, refunded, ended unpaid."""
    question = _question(who, period, where, group_by, bucket, None if bucket else "placed")
    if not {*question.dimensions, *question.where} <= TIME_DIMENSIONS:
        raise OnlyByChannel
    async with db.read() as tx:
        return await _answer(tx, reports, paper, "conversion", question, CONVERSION, compare)


@router.get("/peak-hours", responses=CSV_RESPONSE, response_model=ReportRead, summary="Peak hours")
async def peak_hours(
    period: Periods,
    paper: Papers,
    reports: Sales,
    db: Db,
    channel_id: UUID | None = None,
    who: Caller = caller("ledger:read"),
) -> Response:
    """Orders paid by weekday (1 is Monday) and hour of the zone: what a heat map shows."""
    async with db.read() as tx:
        return paper.answer(await reports.peaks(tx, who.merchant, period, channel_id))


async def _answer(
    tx: Transaction,
    reports: SalesService,
    paper: Papers,
    name: str,
    question: Question,
    figures: Sequence[str],
    compare: str,
) -> Response:
    report = await reports.report(
        tx, name, question, figures,
        is_compared=compare == "previous", limit=paper.limit, offset=paper.offset,
    )  # fmt: skip
    return paper.answer(report)


def _question(
    who: Caller,
    period: Period,
    where: Filters,
    group_by: str,
    bucket: Bucket | None,
    sort: str | None,
) -> Question:
    return Question(
        merchant_id=who.merchant,
        period=period,
        dimensions=dimensions_of(group_by),
        bucket=bucket,
        where=where.to_domain(),
        sort=None if bucket else sort,
    )
