from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from kit.clock import Clock
from kit.db import Database
from kit.http import Caller, caller
from ledger.goods_reports.service import GoodsService
from ledger.report_answers import CSV_RESPONSE, Papers, Periods, ReportRead

router = APIRouter(prefix="/v1/reports", tags=["reports"])


def _goods(request: Request) -> GoodsService:
    return cast(GoodsService, request.app.state.goods_reports)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


Goods = Annotated[GoodsService, Depends(_goods)]
Db = Annotated[Database, Depends(_db)]
Time = Annotated[Clock, Depends(_clock)]


@router.get("/stock", responses=CSV_RESPONSE, response_model=ReportRead, summary="Stock by lot")
async def stock(
    paper: Papers,
    goods: Goods,
    db: Db,
    clock: Time,
    within_days: Annotated[
        int | None, Query(ge=0, le=3_650, description="only what expires so soon, soonest first")
    ] = None,
    who: Caller = caller("ledger:read"),
) -> Response:
    """Lots on the shelf at cost, the oldest first, with their age and time left."""
    async with db.read() as tx:
        return paper.answer(
            await goods.stock(
                tx, who.merchant, clock.now(), within_days=within_days,
                limit=paper.limit, offset=paper.offset,
            )
        )  # fmt: skip


@router.get(
    "/stock-ageing", responses=CSV_RESPONSE, response_model=ReportRead, summary="Stock by age"
)
async def stock_ageing(
    paper: Papers, goods: Goods, db: Db, clock: Time, who: Caller = caller("ledger:read")
) -> Response:
    """Value by age (`kind` age) and by time left (`kind` expires): under 30, 60, 90, 180 days, or
    over. Lots that never expire are `over`.
    """
    async with db.read() as tx:
        return paper.answer(await goods.ageing(tx, who.merchant, clock.now()))


@router.get("/dead-codes", responses=CSV_RESPONSE, response_model=ReportRead, summary="Dead codes")
async def dead_codes(
    paper: Papers, goods: Goods, db: Db, who: Caller = caller("ledger:read")
) -> Response:
    """By supplier: of the units sold, how many turned out bad and were replaced or refunded."""
    async with db.read() as tx:
        return paper.answer(await goods.dead_codes(tx, who.merchant))


@router.get(
    "/baskets", responses=CSV_RESPONSE, response_model=ReportRead, summary="Bought together"
)
async def baskets(
    period: Periods,
    paper: Papers,
    goods: Goods,
    db: Db,
    product_id: Annotated[UUID | None, Query(description="only pairs with this product")] = None,
    who: Caller = caller("ledger:read"),
) -> Response:
    """Products of the same order; of an order with many products, the first 12 are paired."""
    async with db.read() as tx:
        return paper.answer(
            await goods.baskets(
                tx, who.merchant, period, product_id=product_id,
                limit=paper.limit, offset=paper.offset,
            )
        )  # fmt: skip
