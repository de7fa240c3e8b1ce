from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.merchants import service
from order.merchants.schemas import ChannelCreate, ChannelRead, MerchantCreate, MerchantRead

router = APIRouter(prefix="/v1", tags=["merchants and channels"])

Paging = Annotated[PageRequest, Depends(page_request)]


@router.post("/merchants", status_code=201, response_model=MerchantRead)
async def create_merchant(
    body: MerchantCreate, run: Once = once(), who: Caller = caller("platform:write")
) -> Response:
    """A new merchant. Only the platform may; issue its first API key next."""

    async def work(tx: Transaction) -> MerchantRead:
        return MerchantRead.from_domain(await service.create_merchant(tx, body.name))

    return await run(who, work)


@router.get("/merchants", response_model=Page[MerchantRead])
async def list_merchants(
    request: Request, page: Paging, _: Caller = caller("platform:write")
) -> Page[MerchantRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_merchants(
            tx, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(
        rows, page, read=MerchantRead.from_domain, position=lambda merchant: [merchant.id]
    )


@router.post("/channels", status_code=201, response_model=ChannelRead)
async def create_channel(
    body: ChannelCreate, run: Once = once(), who: Caller = caller("channels:write")
) -> Response:
    """One more way of this merchant to sell."""

    async def work(tx: Transaction) -> ChannelRead:
        channel = await service.create_channel(
            tx, who.merchant, body.name, body.kind, is_trusted=body.trusted
        )
        return ChannelRead.from_domain(channel)

    return await run(who, work)


@router.get("/channels", response_model=Page[ChannelRead])
async def list_channels(
    request: Request, page: Paging, who: Caller = caller("channels:read")
) -> Page[ChannelRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_channels(
            tx, who.merchant, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=ChannelRead.from_domain, position=lambda channel: [channel.id])
