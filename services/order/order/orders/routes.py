from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request
from order.orders import service
from order.orders.schemas import OrderRead, TimelineEntryRead

router = APIRouter(prefix="/v1/orders", tags=["orders"])

Paging = Annotated[PageRequest, Depends(page_request)]


@router.get("/{order_id}", response_model=OrderRead)
async def get_order(
    request: Request, order_id: UUID, who: Caller = caller("orders:read")
) -> OrderRead:
    async with cast(Database, request.app.state.db).read() as tx:
        return OrderRead.from_view(await service.get_view(tx, who.merchant, order_id))


@router.get("/{order_id}/timeline", response_model=Page[TimelineEntryRead])
async def list_timeline(
    request: Request, order_id: UUID, page: Paging, who: Caller = caller("orders:read")
) -> Page[TimelineEntryRead]:
    """Every decision about the order and why it was taken, the oldest first."""
    after = page.after_as(int)
    position = min(after[0], 2**63 - 1) if after else 0
    async with cast(Database, request.app.state.db).read() as tx:
        entries = await service.list_timeline(
            tx, who.merchant, order_id, after=position, limit=page.limit + 1
        )
    return page_of(
        entries, page, read=TimelineEntryRead.from_domain, position=lambda entry: [entry.id]
    )
