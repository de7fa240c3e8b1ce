from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Path, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once, with_secret
from kit.paging import Page, PageRequest, page_of, page_request
from order.api_keys import service
from order.api_keys.domain import ROLES, ApiKey, scopes_of
from order.api_keys.schemas import ApiKeyCreate, ApiKeyEdit, ApiKeyIssued, ApiKeyRead, RoleRead

router = APIRouter(prefix="/v1", tags=["API keys"])

Paging = Annotated[PageRequest, Depends(page_request)]
KeyId = Annotated[str, Path(max_length=64, pattern=r"^[0-9A-Za-z-]+$")]


@router.post("/api-keys", status_code=201, response_model=ApiKeyIssued)
async def create_api_key(
    body: ApiKeyCreate, run: Once = once(), who: Caller = caller("api-keys:write")
) -> Response:
    """A new key; the answer is the only place its text ever appears in.

    With an Idempotency-Key a repeat answers the same key without its text.
    """
    scopes = scopes_of(body.role, body.scopes)
    minted_text: list[str] = []

    async def work(tx: Transaction) -> ApiKeyIssued:
        key, minted = await service.issue(
            tx,
            merchant_id=await service.merchant_for(
                tx,
                who,
                body.merchant_id,
                scopes,
                allowed_ips=body.allowed_ips,
                expires_at=body.expires_at,
            ),
            name=body.name,
            scopes=scopes,
            created_by=who.id,
            mode=body.mode,
            expires_at=body.expires_at,
            role=body.role,
            allowed_ips=body.allowed_ips,
        )
        minted_text.append(minted.text)
        return ApiKeyIssued(**ApiKeyRead.from_domain(key).model_dump())

    answer = await run(who, work)
    return with_secret(answer, api_key=minted_text[0]) if minted_text else answer


@router.get("/api-keys", response_model=Page[ApiKeyRead])
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


@router.get("/api-keys/{key_id}", response_model=ApiKeyRead)
async def get_api_key(
    request: Request, key_id: KeyId, who: Caller = caller("api-keys:read")
) -> ApiKeyRead:
    async with cast(Database, request.app.state.db).read() as tx:
        return ApiKeyRead.from_domain(await service.get(tx, who, key_id))


@router.patch("/api-keys/{key_id}", response_model=ApiKeyRead)
async def edit_api_key(
    request: Request,
    key_id: KeyId,
    body: ApiKeyEdit,
    who: Caller = caller("api-keys:write"),
) -> ApiKeyRead:
    """Sets scopes, role or networks; every service acts on it within 5 seconds."""
    async with cast(Database, request.app.state.db).transaction() as tx:
        key = await service.edit(
            tx, who, key_id, scopes=body.scopes, role=body.role, allowed_ips=body.allowed_ips
        )
    return ApiKeyRead.from_domain(key)


@router.get("/roles", response_model=Page[RoleRead])
async def list_roles(_: Caller = caller("api-keys:read")) -> Page[RoleRead]:
    """The bundles of scopes a key may be issued with, all of them."""
    return Page(items=[RoleRead.from_domain(role) for role in ROLES.values()])


@router.post("/api-keys/{key_id}/revoke", response_model=ApiKeyRead)
async def revoke_api_key(
    key_id: KeyId, run: Once = once(), who: Caller = caller("api-keys:write")
) -> Response:
    """Ends a key at once and for ever; every service refuses it within 5 seconds. 403
    `scope_not_held` when it may more than the caller.
    """

    async def work(tx: Transaction) -> ApiKeyRead:
        return ApiKeyRead.from_domain(await service.revoke(tx, who, key_id))

    return await run(who, work, status=200)
