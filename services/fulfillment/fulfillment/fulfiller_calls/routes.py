"""Where merchants' systems say what became of a line that they had accepted."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response

from fulfillment.fulfiller_calls.schemas import FulfillerCallRead, FulfillerResult
from fulfillment.fulfiller_calls.service import FulfillerCallService
from kit.db import Transaction
from kit.http import Caller, Once, caller, once

router = APIRouter(prefix="/v1", tags=["fulfillers"])
WRITE = "deliveries:write"


def _calls(request: Request) -> FulfillerCallService:
    return cast(FulfillerCallService, request.app.state.fulfiller_calls)


Calls = Annotated[FulfillerCallService, Depends(_calls)]


@router.post(
    "/fulfiller-results",
    status_code=200,
    response_model=FulfillerCallRead,
    summary="Say what became of a line",
)
async def say_fulfiller_result(
    body: FulfillerResult, calls: Calls, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """By the call's reference, once; the same again is answered the same. It counts until a person
    has decided.
    """

    async def work(tx: Transaction) -> FulfillerCallRead:
        return FulfillerCallRead.from_domain(
            await calls.hear(tx, who.merchant, body.reference, body.to_domain())
        )

    return await run(who, work, status=200)
