from datetime import datetime
from typing import Annotated, cast

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.api_keys import service
from order.api_keys.domain import ApiKey
from order.api_keys.schemas import ApiKeyCreate, ApiKeyIssued, ApiKeyRead

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"])

Paging = Annotated[PageRequest, Depends(page_request)]
KeyId = Annotated[str, Path(max_length=64, pattern=r"^[0-9A-Za-z]+$")]


@router.post("", status_code=201, response_model=ApiKeyIssued)
async def create_api_key(
    body: ApiKeyCreate, run: Once = once(), who: Caller = caller("api-keys:write")
) -> Response:
    """A new key; the answer is the only place its text ever appears in.

    With an Idempotency-Key a repeat answers the same key without its text.
    """
    minted_text: list[str] = []

    async def work(tx: Transaction) -> ApiKeyIssued:
        key, minted = await service.issue(
            tx,
            merchant_id=service.merchant_for(who, body.merchant_id, body.scopes),
            name=body.name,
            scopes=body.scopes,
            created_by=who.id,
            mode=body.mode,
            expires_at=body.expires_at,
        )
        minted_text.append(minted.text)
        return ApiKeyIssued(**ApiKeyRead.from_domain(key).model_dump())

    answer = await run(who, work)
    return _with_text(answer, minted_text[0]) if minted_text else answer


def _with_text(answer: Response, text: str) -> Response:
    """The stored answer has no secret in it; the first caller's copy gets it here."""
    document = orjson.loads(answer.body) | {"api_key": text}
    return Response(orjson.dumps(document), status_code=201, media_type="application/json")


@router.get("", response_model=Page[ApiKeyRead])
async def list_api_keys(
    request: Request, page: Paging, who: Caller = caller("api-keys:read")
) -> Page[ApiKeyRead]:
    after = page.after_as(datetime.fromisoformat, str)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_keys(
            tx, who.merchant_id, after=(after[0], after[1]) if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=ApiKeyRead.from_domain, position=_position)


def _position(key: ApiKey) -> list[str]:
    return [key.created_at.isoformat(), key.id]


@router.post("/{key_id}/revoke", response_model=ApiKeyRead)
async def revoke_api_key(
    key_id: KeyId, run: Once = once(), who: Caller = caller("api-keys:write")
) -> Response:
    """Ends a key at once and for ever; every service refuses it within 5 seconds."""

    async def work(tx: Transaction) -> ApiKeyRead:
        return ApiKeyRead.from_domain(await service.revoke(tx, who, key_id))

    return await run(who, work, status=200)
