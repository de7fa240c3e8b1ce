from uuid import UUID

from fastapi import APIRouter, Response

from kit.db import Transaction
from kit.http import Caller, Once, caller, once
from order.chargebacks import service
from order.chargebacks.schemas import ChargebackCreate, ChargebackRead

router = APIRouter(prefix="/v1/orders", tags=["orders"])


@router.post("/{order_id}/chargebacks", status_code=201, response_model=ChargebackRead)
async def note_chargeback(
    order_id: UUID,
    body: ChargebackCreate,
    run: Once = once(),
    who: Caller = caller("refunds:write"),
) -> Response:
    """The buyer's bank took the money back: on the order's timeline, and risk learns from it.

    The order stays as it is, and nothing is posted: the provider's statement brings the money's
    side. 409 `order_not_paid`.
    """
    chargeback = body.to_domain()

    async def work(tx: Transaction) -> ChargebackRead:
        cause = f"{who.kind}:{who.id}"
        order = await service.note(tx, who.merchant, order_id, chargeback, cause)
        return ChargebackRead.from_domain(order, chargeback)

    return await run(who, work)
