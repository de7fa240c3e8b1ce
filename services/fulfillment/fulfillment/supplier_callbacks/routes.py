"""Where suppliers call back."""

from typing import Any, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response

from fulfillment.connector import Pushed
from fulfillment.supplier_callbacks.service import CallbackService
from kit.db import Database
from kit.http.middleware import BodyTooLarge

CALLBACK_BYTES_MAX = 65_536

router = APIRouter(prefix="/v1/supplier-callbacks", tags=["suppliers"])

_RAW_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "whatever the supplier sends, signed as the supplier signs",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Heard; the words are the supplier's own (`success`, or JSON)",
        "content": {"application/json": {}, "text/plain": {}},
    }
}


@router.post(
    "/{supplier}",
    responses=_ANSWERS,
    openapi_extra=_RAW_BODY,
    summary="Hear a supplier",
)
async def receive_callback(request: Request, supplier: UUID) -> Response:
    """A supplier's signed call about a purchase. No API key: the signature is what counts.

    `supplier` is the account's id (`callback_url` of the supplier says it all). Duplicates, in any
    order and before the answer to our own call, are harmless.
    """
    body = await request.body()
    if len(body) > CALLBACK_BYTES_MAX:
        raise BodyTooLarge(CALLBACK_BYTES_MAX)
    callbacks = cast(CallbackService, request.app.state.supplier_callbacks)
    told = await callbacks.receive(
        cast(Database, request.app.state.db),
        supplier,
        Pushed(dict(request.headers), dict(request.query_params), body),
    )
    return Response(told.reply, media_type=told.reply_type)
