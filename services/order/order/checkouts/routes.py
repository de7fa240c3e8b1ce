from typing import cast
from uuid import UUID

from fastapi import APIRouter, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from order.checkouts import service
from order.checkouts.domain import CheckoutNotFound
from order.checkouts.schemas import CheckoutCreate, CheckoutRead
from order.checkouts.service import CheckoutCall, CheckoutService

router = APIRouter(prefix="/v1/orders", tags=["payments"])


@router.post("/{order_id}/checkout", status_code=201, response_model=CheckoutRead)
async def begin_checkout(
    request: Request,
    order_id: UUID,
    body: CheckoutCreate,
    run: Once = once(),
    who: Caller = caller("orders:write"),
) -> Response:
    """Begins the order's payment with a provider; the answer says how the buyer goes on.

    Called again, with or without an Idempotency-Key, it is the same payment. 409
    `no_payment_account`, 409 `checkout_too_late`, 422 `checkout_refused`; 503 `provider_silent`:
    call again.
    """
    checkouts = cast(CheckoutService, request.app.state.checkouts)
    if (stored := await run.replay(who)) is not None:
        return stored
    call = CheckoutCall(
        who.merchant,
        order_id,
        body.provider,
        body.method,
        body.account_id,
        body.return_url,
        body.payer,
    )
    checkout_id = await checkouts.begin(call)

    async def work(tx: Transaction) -> CheckoutRead:
        return CheckoutRead.from_domain(await service.get_own(tx, who.merchant, checkout_id))

    return await run(who, work, location=lambda it: f"/v1/orders/{order_id}/checkouts/{it.id}")


@router.get("/{order_id}/checkouts/{checkout_id}", response_model=CheckoutRead)
async def get_checkout(
    request: Request, order_id: UUID, checkout_id: UUID, who: Caller = caller("orders:read")
) -> CheckoutRead:
    """What became of a payment that was begun."""
    async with cast(Database, request.app.state.db).read() as tx:
        checkout = await service.get_own(tx, who.merchant, checkout_id)
    if checkout.order_id != order_id:
        raise CheckoutNotFound(checkout_id=str(checkout_id))
    return CheckoutRead.from_domain(checkout)
