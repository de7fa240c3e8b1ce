"""Purchases for operators."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from fulfillment.purchases.schemas import PurchaseRead, State
from fulfillment.purchases.service import PurchaseService
from kit.db import Database
from kit.http import Caller, caller
from kit.paging import BadCursor, Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/purchases", tags=["purchases"])
READ = "suppliers:read"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _purchases(request: Request) -> PurchaseService:
    return cast(PurchaseService, request.app.state.purchases)


Db = Annotated[Database, Depends(_db)]
Purchases = Annotated[PurchaseService, Depends(_purchases)]


@router.get("", summary="List purchases")
async def list_purchases(
    db: Db,
    purchases: Purchases,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    order_id: Annotated[UUID | None, Query(description="Only those of this order.")] = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
) -> Page[PurchaseRead]:
    """What the merchant bought of suppliers, newest first."""
    after = page.after_as(_moment, UUID)
    async with db.read() as tx:
        found = await purchases.list_purchases(
            tx,
            who.merchant,
            order_id=order_id,
            state=state,
            after=(after[0], after[1]) if after else None,
            limit=page.limit + 1,
        )
    return page_of(
        found, page, read=PurchaseRead.from_domain, position=lambda it: [it.created_at, it.id]
    )


@router.get("/{purchase_id}", summary="Read a purchase")
async def read_purchase(
    purchase_id: UUID, db: Db, purchases: Purchases, who: Caller = caller(READ)
) -> PurchaseRead:
    async with db.read() as tx:
        return PurchaseRead.from_domain(await purchases.get(tx, who.merchant, purchase_id))


def _moment(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise BadCursor
    return moment
