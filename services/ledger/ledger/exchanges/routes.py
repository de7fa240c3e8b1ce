from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response

from kit.clock import Clock
from kit.db import Transaction
from kit.http import Caller, Once, caller, once
from ledger.exchanges.schemas import ExchangePost
from ledger.exchanges.service import ExchangeService
from ledger.transactions.schemas import TransactionRead

router = APIRouter(tags=["exchanges"])


def _exchanges(request: Request) -> ExchangeService:
    return cast(ExchangeService, request.app.state.exchanges)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


@router.post(
    "/v1/fx",
    status_code=201,
    response_model=TransactionRead,
    summary="Change money into another currency",
    description="Each currency balances by itself over `fx-position`. Open the accounts first.",
)
async def exchange(
    body: ExchangePost,
    exchanges: Annotated[ExchangeService, Depends(_exchanges)],
    clock: Annotated[Clock, Depends(_clock)],
    run: Once = once(),
    who: Caller = caller("ledger:write"),
) -> Response:
    at = body.at or clock.now()

    async def work(tx: Transaction) -> TransactionRead:
        posted = await exchanges.exchange(
            tx,
            who.merchant,
            given=body.given.to_domain(),
            received=body.received.to_domain(),
            book_rate=body.book_rate.to_domain() if body.book_rate else None,
            at=at,
            description=body.description,
            reference=body.reference,
        )
        return TransactionRead.from_domain(posted)

    return await run(who, work, location=lambda posted: f"/v1/transactions/{posted.id}")
