from collections.abc import Mapping
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from kit.db import Database
from kit.http import Caller, Timestamp, caller
from ledger.figures import DEFINITIONS
from ledger.reports.schemas import (
    CatalogueRead,
    LotValueRead,
    LotValuesRead,
    ReportNameRead,
    TrialBalanceRead,
)
from ledger.reports.service import ReportService

router = APIRouter(tags=["reports"])

REPORTS: Mapping[str, str] = {
    "sales": "What was sold, by channel, product, SKU, buyer group, supplier, lot.",
    "margin": "Sales less refunds, cost and fees, by the same.",
    "trends": "Sales and margin by hour, day, week or month, beside the period before.",
    "best-sellers": "Products by units or sales.",
    "peak-hours": "Orders paid by weekday and hour.",
    "conversion": "What became of placed orders, by channel and buyer group.",
    "repurchase": "New buyers who bought again within 30, 60, 90 days.",
    "cohorts": "Buyers by the month of their first order, month by month.",
    "stock": "Lots on the shelf: value, age, time left.",
    "stock-ageing": "Value of the shelf by age and by time left.",
    "dead-codes": "Units that turned out bad, by supplier.",
    "baskets": "Products that are bought together.",
}


def _reports(request: Request) -> ReportService:
    return cast(ReportService, request.app.state.reports)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Reports = Annotated[ReportService, Depends(_reports)]
Db = Annotated[Database, Depends(_db)]


@router.get("/v1/trial-balance", summary="Debits and credits per account and currency")
async def trial_balance(
    reports: Reports,
    db: Db,
    at: Annotated[
        Timestamp | None, Query(description="with all that happened up to this moment; or all")
    ] = None,
    who: Caller = caller("ledger:read"),
) -> TrialBalanceRead:
    async with db.read() as tx:
        return TrialBalanceRead.from_domain(await reports.trial_balance(tx, who.merchant, at))


@router.get("/v1/reports", summary="All reports, and what each figure is")
async def list_reports(_: Caller = caller("ledger:read")) -> CatalogueRead:
    return CatalogueRead(
        reports=[
            ReportNameRead(name=name, path=f"/v1/reports/{name}", shows=shows)
            for name, shows in REPORTS.items()
        ],
        figures=dict(DEFINITIONS),
    )


@router.get("/v1/reports/lots/{lot_id}", summary="A lot's value on the shelf, at cost")
async def lot_value(
    lot_id: UUID, reports: Reports, db: Db, who: Caller = caller("ledger:read")
) -> LotValuesRead:
    async with db.read() as tx:
        values = await reports.lot_values(tx, who.merchant, lot_id)
    return LotValuesRead(lot_id=lot_id, items=[LotValueRead.from_domain(it) for it in values])
