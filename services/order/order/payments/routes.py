from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.errors import DomainError
from kit.http import Caller, LeanRoute, Once, Together, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.payments import service
from order.payments.domain import Receipt
from order.payments.schemas import PaymentCreate, PaymentRead, PaymentStateRead
from order.payments.service import PayCall, PaymentService

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=LeanRoute)

Paging = Annotated[PageRequest, Depends(page_request)]


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
    expired or was cancelled: refund the buyer). A word that is refused leaves nothing behind: who
    took the money still has it and gives it back. What a provider itself took is never refused.
    """
    together = cast("Together[PayCall]", request.app.state.pay_together)
    call = PayCall(who.merchant, order_id, body.to_domain(), f"{who.kind}:{who.id}")
    return await together(run, who, call)


@router.get("/{order_id}/payments", response_model=Page[PaymentStateRead])
async def list_payments(
    request: Request, order_id: UUID, page: Paging, who: Caller = caller("orders:read")
) -> Page[PaymentStateRead]:
    """All money that came for the order, the first first: what paid it and what was not owed."""
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_payments(
            tx,
            who.merchant,
            order_id,
            after=after[0] if after else None,
            limit=page.limit + 1,
        )
    return page_of(
        rows, page, read=PaymentStateRead.from_domain, position=lambda it: [it.receipt.id]
    )


def pay_together(db: Database, payments: PaymentService) -> Together[PayCall]:
    """Payments that arrive at the same time share a transaction."""

    async def work(
        tx: Transaction, calls: Sequence[PayCall]
    ) -> Sequence[PaymentRead | DomainError]:
        return [
            PaymentRead.from_domain(result) if isinstance(result, Receipt) else result
            for result in await payments.pay_many(tx, calls)
        ]

    return Together(db, work)
