"""Deliveries for shops and operators."""

from datetime import timedelta
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from fulfillment.deliveries.schemas import DeliveryRead, LinkCreate, LinkRead
from fulfillment.deliveries.service import DeliveryService
from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
READ = "deliveries:read"
WRITE = "deliveries:write"


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


@router.post("/{delivery_id}/link", status_code=201, summary="Renew the link to a buyer's page")
async def renew_link(
    delivery_id: UUID,
    db: Annotated[Database, Depends(_db)],
    deliveries: Annotated[DeliveryService, Depends(_deliveries)],
    body: LinkCreate,
    request: Request,
    who: Caller = caller(WRITE),
) -> LinkRead:
    """A new link to the page of the delivery's order; every older one ends at once. Each call makes
    a new one: send the last answer you got.
    """
    days = body.days or cast(int, request.app.state.link_days)
    async with db.transaction() as tx:
        link = await deliveries.renew_link(tx, who.merchant, delivery_id, timedelta(days=days))
    return LinkRead(url=deliveries.url_of_link(link), ends_at=link.ends_at)


@router.delete("/{delivery_id}/link", status_code=204, summary="End the link to a buyer's page")
async def end_link(
    delivery_id: UUID,
    db: Annotated[Database, Depends(_db)],
    deliveries: Annotated[DeliveryService, Depends(_deliveries)],
    who: Caller = caller(WRITE),
) -> None:
    """Nobody can open the page of the delivery's order any more, until the link is renewed."""
    async with db.transaction() as tx:
        await deliveries.renew_link(tx, who.merchant, delivery_id, timedelta())


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
