from collections.abc import Sequence
from typing import cast

from fastapi import APIRouter, Request, Response

from kit.db import Database, Transaction
from kit.errors import DomainError
from kit.http import Caller, LeanRoute, Once, Together, caller, once
from order.contacts import ContactHasher
from order.orders.domain import Order
from order.orders.schemas import OrderRead
from order.placing.domain import Draft
from order.placing.schemas import OrderCreate
from order.placing.service import PlacingService

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=LeanRoute)


@router.post("", status_code=201, response_model=OrderRead)
async def place_order(
    request: Request,
    body: OrderCreate,
    run: Once = once(),
    who: Caller = caller("orders:write"),
) -> Response:
    """Prices the lines, holds their stock and places the order; pay it until `pay_until`.

    409 `out_of_stock` names the short lines and holds nothing; 409 `reference_taken` names the
    order that has the reference. A trusted channel may say `paid` and place and pay in one call.
    """
    if body.paid is not None:
        who.require("payments:write")
    if body.allow_below_cost is not None:
        who.require("prices:override")
    together = cast("Together[Draft]", request.app.state.place_together)
    replayed = await together.replay(run, who)
    if replayed is not None:
        return replayed
    placing = cast(PlacingService, request.app.state.placing)
    contacts = cast(ContactHasher, request.app.state.contacts)
    wanted = body.to_domain(who.merchant, contacts, f"{who.kind}:{who.id}")
    try:
        async with placing.prepared(wanted) as draft:
            return await together(run, who, draft)
    except DomainError:
        # What refuses this call may be what its own first copy did meanwhile: taken the reference,
        # the last unit, the coupon. Then its answer is the answer.
        replayed = await together.replay(run, who)
        if replayed is None:
            raise
        return replayed


def place_together(db: Database, placing: PlacingService) -> Together[Draft]:
    """Orders that are placed at the same time share a transaction."""

    async def work(tx: Transaction, drafts: Sequence[Draft]) -> Sequence[OrderRead | DomainError]:
        return [
            OrderRead.from_domain(result) if isinstance(result, Order) else result
            for result in await placing.place_many(tx, drafts)
        ]

    return Together(db, work, location=lambda order: f"/v1/orders/{order.id}")
