from collections.abc import Iterable
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from kit.db import Database
from kit.http import Caller, caller
from kit.http.middleware import BodyTooLarge
from kit.paging import Page, PageRequest, page_of, page_request
from kit.tenancy import for_every_merchant
from order.callbacks import service
from order.callbacks.domain import Verdict
from order.callbacks.schemas import PaymentNoticeRead
from order.callbacks.service import CallbackService
from order.provider import Callback

CALLBACK_BYTES_MAX = 262_144

router = APIRouter(prefix="/v1", tags=["payments"])

Paging = Annotated[PageRequest, Depends(page_request)]
ProviderName = Annotated[str, Path(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]

_RAW_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "whatever the provider sends, signed as the provider signs",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Heard; the words are the provider's own (`success`, or JSON)",
        "content": {"application/json": {}, "text/plain": {}},
    }
}


@router.post("/payment-callbacks/{provider}", responses=_ANSWERS, openapi_extra=_RAW_BODY)
async def receive_callback(request: Request, provider: ProviderName) -> Response:
    """A payment provider's signed push. No API key: the signature is what counts.

    Use the path with the account's id unless the push itself says for which account it is.
    """
    return await _receive(request, provider, None)


@router.post(
    "/payment-callbacks/{provider}/{account_id}", responses=_ANSWERS, openapi_extra=_RAW_BODY
)
async def receive_account_callback(
    request: Request, provider: ProviderName, account_id: UUID
) -> Response:
    """A signed push for one account. Duplicates, in any order and at once, are harmless."""
    return await _receive(request, provider, account_id)


@router.get("/payment-notices", response_model=Page[PaymentNoticeRead])
async def list_payment_notices(
    request: Request,
    page: Paging,
    order_id: Annotated[UUID | None, Query(description="only those about this order")] = None,
    verdict: Annotated[Verdict | None, Query()] = None,
    who: Caller = caller("orders:read"),
) -> Page[PaymentNoticeRead]:
    """What providers told about this merchant's payments, and what became of it; newest first."""
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_notices(
            tx,
            who.merchant,
            order_id=order_id,
            verdict=verdict,
            after=after[0] if after else None,
            limit=page.limit + 1,
        )
    return page_of(
        rows, page, read=PaymentNoticeRead.from_domain, position=lambda told: [told.record.id]
    )


async def _receive(request: Request, provider: str, account_id: UUID | None) -> Response:
    callbacks = cast(CallbackService, request.app.state.callbacks)
    body = await request.body()
    if len(body) > CALLBACK_BYTES_MAX:
        raise BodyTooLarge(CALLBACK_BYTES_MAX)
    callback = Callback(body, _headers_of(request.headers.items()))
    with for_every_merchant("a push says by its signature whose it is"):
        answer = await callbacks.receive(provider, account_id, callback)
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type)


def _headers_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names in lower case; a header that came twice is one value that no signature matches."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found
