from uuid import UUID

from fastapi import APIRouter, Response

from kit.db import Transaction
from kit.http import Caller, Once, caller, once
from order.orders.schemas import OrderRead
from order.saga import service
from order.saga.schemas import CancelCreate

router = APIRouter(prefix="/v1/orders", tags=["orders"])


@router.post("/{order_id}/cancel", response_model=OrderRead)
async def cancel_order(
    order_id: UUID,
    body: CancelCreate | None = None,
    run: Once = once(),
    who: Caller = caller("orders:write"),
) -> Response:
    """Ends an unpaid order, gives its stock back; 409 `order_not_cancellable` once it is paid."""
    reason = (body or CancelCreate()).reason

    async def work(tx: Transaction) -> OrderRead:
        order = await service.cancel(tx, who.merchant, order_id, reason, f"{who.kind}:{who.id}")
        return OrderRead.from_domain(order)

    return await run(who, work, status=200)
