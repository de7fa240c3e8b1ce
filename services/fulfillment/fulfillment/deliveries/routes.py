"""Deliveries for shops and operators."""

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from fulfillment.deliveries.schemas import DeliveryRead
from fulfillment.deliveries.service import DeliveryService
from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
READ = "deliveries:read"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _deliveries(request: Request) -> DeliveryService:
    return cast(DeliveryService, request.app.state.deliveries)


@router.get("/{delivery_id}", summary="Read a delivery")
async def read_delivery(
    delivery_id: UUID,
    db: Annotated[Database, Depends(_db)],
    deliveries: Annotated[DeliveryService, Depends(_deliveries)],
    who: Caller = caller(READ),
) -> DeliveryRead:
    """What became of one order line: its units (masked), and the shop's boxes if it named a key."""
    async with db.read() as tx:
        delivery, url = await deliveries.get_delivery(tx, who.merchant, delivery_id)
    return DeliveryRead.from_domain(delivery, url)


@router.get("", summary="List deliveries")
async def list_deliveries(
    db: Annotated[Database, Depends(_db)],
    deliveries: Annotated[DeliveryService, Depends(_deliveries)],
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    order_id: Annotated[UUID | None, Query(description="Only those of this order.")] = None,
) -> Page[DeliveryRead]:
    """The merchant's deliveries, newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await deliveries.list_deliveries(
            tx,
            who.merchant,
            order_id=order_id,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=_read, position=_position)


def _read(found: tuple[Any, str]) -> DeliveryRead:
    return DeliveryRead.from_domain(*found)


def _position(found: tuple[Any, str]) -> list[Any]:
    return [found[0].id]
