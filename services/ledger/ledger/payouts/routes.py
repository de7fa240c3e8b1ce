"""Payouts are the platform's business; a merchant reads its own."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.access import merchant_seen_by
from ledger.payouts.domain import PayoutState
from ledger.payouts.schemas import (
    PayeeBody,
    PayoutPropose,
    PayoutRead,
    PayoutReason,
    csv_of,
)
from ledger.payouts.service import PayoutService
from ledger.settlements.service import SettlementService

router = APIRouter(prefix="/v1", tags=["payouts"])
_CSV: dict[int | str, dict[str, Any]] = {  # FastAPI's own type
    200: {"description": "CSV, UTF-8", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


def _payouts(request: Request) -> PayoutService:
    return cast(PayoutService, request.app.state.payouts)


def _settlements(request: Request) -> SettlementService:
    return cast(SettlementService, request.app.state.settlements)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Payouts = Annotated[PayoutService, Depends(_payouts)]
Settlements = Annotated[SettlementService, Depends(_settlements)]
Db = Annotated[Database, Depends(_db)]
State = Annotated[PayoutState | None, Query(description="only those that are so")]
Merchant = Annotated[UUID | None, Query(description="only of this one; the platform sees all")]


@router.post("/payouts", status_code=201, response_model=PayoutRead, summary="Propose a payout")
async def propose_payout(
    body: PayoutPropose,
    payouts: Payouts,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    """Never more than what is available and not proposed already: 409 `payout_exceeds_available`.
    Somebody with another key approves it.
    """

    async def work(tx: Transaction) -> PayoutRead:
        payout = await payouts.propose(tx, body.merchant_id, body.currency, body.amount, _name(who))
        return PayoutRead.from_domain(payout)

    return await run(who, work, location=lambda payout: f"/v1/payouts/{payout.id}")


@router.get("/payouts", summary="Payouts, newest first")
async def list_payouts(
    payouts: Payouts,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    state: State = None,
    merchant_id: Merchant = None,
    who: Caller = caller("ledger:read"),
) -> Page[PayoutRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await payouts.list_payouts(
            tx,
            merchant_seen_by(who, merchant_id),
            state=state,
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=PayoutRead.from_domain, position=lambda it: [it.id])


@router.get(
    "/payouts/export.csv",
    response_class=StreamingResponse,
    responses=_CSV,
    summary="Payouts as a table for the bank",
)
async def export_payouts(
    payouts: Payouts,
    db: Db,
    state: State = PayoutState.APPROVED,
    merchant_id: Merchant = None,
    who: Caller = caller("ledger:read"),
) -> StreamingResponse:
    """Those that are approved, unless asked for others. Mark them sent when the bank has them."""
    seen = merchant_seen_by(who, merchant_id)

    async def rows() -> AsyncIterator[str]:
        with_head = True
        async for page in payouts.export(db, seen, state):
            yield csv_of(page, with_head=with_head)
            with_head = False

    headers = {"Content-Disposition": 'attachment; filename="payouts.csv"'}
    return StreamingResponse(rows(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/payouts/{payout_id}", summary="One payout")
async def get_payout(
    payout_id: UUID, payouts: Payouts, db: Db, who: Caller = caller("ledger:read")
) -> PayoutRead:
    async with db.read() as tx:
        payout = await payouts.get_payout(tx, merchant_seen_by(who), payout_id)
        return PayoutRead.from_domain(payout)


@router.post("/payouts/{payout_id}/approve", response_model=PayoutRead, summary="Approve a payout")
async def approve_payout(
    payout_id: UUID,
    payouts: Payouts,
    settlements: Settlements,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    """The money leaves what is available. 403 `same_person` for the key that made it; 409
    `payout_exceeds_available` when refunds have come since.
    """
    move = _Move(payouts, settlements, payout_id, who)
    return await run(who, move.to(PayoutState.APPROVED), status=200)


@router.post("/payouts/{payout_id}/reject", response_model=PayoutRead, summary="Reject a payout")
async def reject_payout(
    payout_id: UUID,
    body: PayoutReason,
    payouts: Payouts,
    settlements: Settlements,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    move = _Move(payouts, settlements, payout_id, who, body.reason)
    return await run(who, move.to(PayoutState.REJECTED), status=200)


@router.post("/payouts/{payout_id}/sent", response_model=PayoutRead, summary="The bank has it")
async def mark_payout_sent(
    payout_id: UUID,
    payouts: Payouts,
    settlements: Settlements,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    move = _Move(payouts, settlements, payout_id, who)
    return await run(who, move.to(PayoutState.SENT), status=200)


@router.post("/payouts/{payout_id}/paid", response_model=PayoutRead, summary="It has arrived")
async def mark_payout_paid(
    payout_id: UUID,
    payouts: Payouts,
    settlements: Settlements,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    move = _Move(payouts, settlements, payout_id, who)
    return await run(who, move.to(PayoutState.PAID), status=200)


@router.post("/payouts/{payout_id}/fail", response_model=PayoutRead, summary="It did not arrive")
async def mark_payout_failed(
    payout_id: UUID,
    body: PayoutReason,
    payouts: Payouts,
    settlements: Settlements,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    """The money is available again."""
    move = _Move(payouts, settlements, payout_id, who, body.reason)
    return await run(who, move.to(PayoutState.FAILED), status=200)


@router.post("/payouts/{payout_id}/return", response_model=PayoutRead, summary="It came back")
async def mark_payout_returned(
    payout_id: UUID,
    body: PayoutReason,
    payouts: Payouts,
    settlements: Settlements,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    """After it had arrived. The money is available again."""
    move = _Move(payouts, settlements, payout_id, who, body.reason)
    return await run(who, move.to(PayoutState.RETURNED), status=200)


@router.put("/payees/{merchant_id}", summary="Say who a merchant's payouts go to")
async def put_payee(
    merchant_id: UUID,
    body: PayeeBody,
    payouts: Payouts,
    db: Db,
    _: Caller = caller("platform:write"),
) -> PayeeBody:
    """Payouts proposed before keep the payee they were proposed for."""
    async with db.transaction() as tx:
        await payouts.put_payee(tx, body.to_domain(merchant_id))
    return body


@router.get("/payees/{merchant_id}", summary="Who a merchant's payouts go to")
async def get_payee(
    merchant_id: UUID, payouts: Payouts, db: Db, who: Caller = caller("ledger:read")
) -> PayeeBody:
    seen = merchant_seen_by(who, merchant_id)
    async with db.read() as tx:
        return PayeeBody.from_domain(await payouts.get_payee(tx, seen or merchant_id))


class _Move:
    """A payout and its settlement go on together."""

    def __init__(
        self,
        payouts: PayoutService,
        settlements: SettlementService,
        payout_id: UUID,
        who: Caller,
        reason: str | None = None,
    ) -> None:
        self._payouts = payouts
        self._settlements = settlements
        self._payout_id = payout_id
        self._by = _name(who)
        self._reason = reason

    def to(self, state: PayoutState) -> Any:
        async def work(tx: Transaction) -> PayoutRead:
            payout = await self._payouts.move(tx, self._payout_id, state, self._by, self._reason)
            await self._settlements.follow(tx, payout)
            return PayoutRead.from_domain(payout)

        return work


def _name(who: Caller) -> str:
    return f"{who.kind}:{who.id}"
