from typing import cast
from uuid import UUID

from fastapi import APIRouter, Request, Response

from kit.db import Transaction
from kit.http import Caller, Once, caller, once
from order.failed_payments import service
from order.failed_payments.schemas import FailedPaymentCreate, FailedPaymentRead
from order.payments.service import PaymentService

router = APIRouter(prefix="/v1/orders", tags=["orders"])


@router.post("/{order_id}/failed-payments", status_code=201, response_model=FailedPaymentRead)
async def note_failed_payment(
    request: Request,
    order_id: UUID,
    body: FailedPaymentCreate,
    run: Once = once(),
    who: Caller = caller("payments:write"),
) -> Response:
    """A payment of a buyer was refused: on the order's timeline, and risk counts it.

    For those who take the money themselves: a trusted channel, or `demo`. What is begun by
    `POST /v1/orders/{id}/checkout` is told by its provider. The order stays as it is and may be
    paid another way. Tell of refusals by a bank only, not of a buyer who did not pay in time.
    403 `channel_not_trusted`.
    """
    failed = body.to_domain()
    payments = cast(PaymentService, request.app.state.payments)

    async def work(tx: Transaction) -> FailedPaymentRead:
        cause = f"{who.kind}:{who.id}"
        order = await service.note_word(tx, payments, who.merchant, order_id, failed, cause)
        return FailedPaymentRead.from_domain(order, failed)

    return await run(who, work)
