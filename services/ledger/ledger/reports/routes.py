from datetime import UTC, datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from kit.db import Database
from kit.http import Caller, Timestamp, caller
from ledger.reports.domain import MarginGroup
from ledger.reports.schemas import (
    LotValueRead,
    LotValuesRead,
    MarginLineRead,
    MarginRead,
    TrialBalanceRead,
)
from ledger.reports.service import ReportService

router = APIRouter(tags=["reports"])

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
END = datetime(2201, 1, 1, tzinfo=UTC)


def _reports(request: Request) -> ReportService:
    return cast(ReportService, request.app.state.reports)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Reports = Annotated[ReportService, Depends(_reports)]
Db = Annotated[Database, Depends(_db)]


@router.get("/v1/trial-balance", summary="Debits and credits per account and currency")
async def trial_balance(
    reports: Reports, db: Db, who: Caller = caller("ledger:read")
) -> TrialBalanceRead:
    async with db.read() as tx:
        return TrialBalanceRead.from_domain(await reports.trial_balance(tx, who.merchant))


@router.get("/v1/reports/margin", summary="Revenue, cost and margin")
async def margin(
    reports: Reports,
    db: Db,
    group_by: Annotated[MarginGroup, Query(description="one line per")] = MarginGroup.PRODUCT,
    from_at: Annotated[Timestamp, Query(alias="from", description="from this moment on")] = (
        BEGINNING
    ),
    until_at: Annotated[Timestamp, Query(alias="to", description="before this moment")] = END,
    who: Caller = caller("ledger:read"),
) -> MarginRead:
    async with db.read() as tx:
        lines = await reports.margin(tx, who.merchant, group_by, from_at=from_at, until_at=until_at)
    return MarginRead(group_by=group_by, items=[MarginLineRead.from_domain(it) for it in lines])


@router.get("/v1/reports/lots/{lot_id}", summary="A lot's value on the shelf, at cost")
async def lot_value(
    lot_id: UUID, reports: Reports, db: Db, who: Caller = caller("ledger:read")
) -> LotValuesRead:
    async with db.read() as tx:
        values = await reports.lot_values(tx, who.merchant, lot_id)
    return LotValuesRead(lot_id=lot_id, items=[LotValueRead.from_domain(it) for it in values])
