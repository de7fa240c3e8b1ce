from typing import cast
from uuid import UUID

from fastapi import APIRouter, Request, Response

from kit.db import Transaction
from kit.http import Caller, Once, caller, once
from order.payments.schemas import PaymentCreate, PaymentRead
from order.payments.service import PaymentService

router = APIRouter(prefix="/v1/orders", tags=["orders"])


@router.post("/{order_id}/payments", status_code=201, response_model=PaymentRead)
async def pay_order(
    request: Request,
    order_id: UUID,
    body: PaymentCreate,
    run: Once = once(),
    who: Caller = caller("payments:write"),
) -> Response:
    """Tells that the order's whole amount came.

    The same payment told again, with or without an Idempotency-Key, gives the same answer. 422
    `amount_mismatch`, 409 `already_paid` (by another payment), 409 `order_not_payable` (it has
    expired or was cancelled: refund the buyer).
    """
    payments = cast(PaymentService, request.app.state.payments)

    async def work(tx: Transaction) -> PaymentRead:
        receipt = await payments.pay(
            tx, who.merchant, order_id, body.to_domain(), f"{who.kind}:{who.id}"
        )
        return PaymentRead.from_domain(receipt)

    return await run(who, work)
