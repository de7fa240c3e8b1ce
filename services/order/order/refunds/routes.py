from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.ids import new_id
from kit.paging import Page, PageRequest, page_of, page_request
from order.orders import service as orders
from order.refunds import service
from order.refunds.domain import KeyRequired
from order.refunds.schemas import OwedRefundRead, RefundCreate, RefundRead, RefundRequestRead
from order.saga import service as saga

router = APIRouter(prefix="/v1/orders", tags=["orders"])

Paging = Annotated[PageRequest, Depends(page_request)]


@router.post("/{order_id}/refunds", status_code=201, response_model=RefundRequestRead)
async def refund_order(
    order_id: UUID,
    body: RefundCreate,
    run: Once = once(),
    who: Caller = caller("refunds:write"),
) -> Response:
    """Gives money back: the whole order or by line, also after delivery. Needs an Idempotency-Key.

    What was delivered stays with the buyer; only the money is recorded, with reason and caller.
    409 `outcome_unknown` names lines that may still be delivered, 409 `nothing_to_refund`, 409
    `order_not_refundable` (nothing was paid; or the order waits and only `whole` is possible), 422
    `refund_too_large` with what is left.
    """
    if not run.has_key:
        raise KeyRequired
    wanted = body.to_domain(new_id(), f"{who.kind}:{who.id}")

    async def work(tx: Transaction) -> RefundRequestRead:
        order, refunds = await saga.refund(tx, who.merchant, order_id, wanted)
        return RefundRequestRead(
            request_id=wanted.request_id,
            order_id=order.id,
            order_status=order.status.value,
            reason=wanted.reason,
            refunds=[OwedRefundRead.from_domain(refund) for refund in refunds],
        )

    return await run(who, work)


@router.get("/{order_id}/refunds", response_model=Page[RefundRead])
async def list_refunds(
    request: Request, order_id: UUID, page: Paging, who: Caller = caller("orders:read")
) -> Page[RefundRead]:
    """All money of the order that went back or is on its way, the oldest first."""
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        await orders.get_order(tx, who.merchant, order_id)
        rows = await service.list_of_order(
            tx, order_id, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=RefundRead.from_domain, position=lambda it: [it.refund.id])
