from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.api_keys import service as api_keys
from order.merchants import service
from order.merchants.schemas import (
    ChannelCreate,
    ChannelEdit,
    ChannelRead,
    MerchantCreate,
    MerchantEdit,
    MerchantRead,
    SuspensionCreate,
)

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


@router.get("/merchants/{merchant_id}", response_model=MerchantRead)
async def get_merchant(
    request: Request, merchant_id: UUID, _: Caller = caller("platform:write")
) -> MerchantRead:
    async with cast(Database, request.app.state.db).read() as tx:
        return MerchantRead.from_domain(await service.get_merchant(tx, merchant_id))


@router.patch("/merchants/{merchant_id}", response_model=MerchantRead)
async def edit_merchant(
    request: Request,
    merchant_id: UUID,
    body: MerchantEdit,
    _: Caller = caller("platform:write"),
) -> MerchantRead:
    async with cast(Database, request.app.state.db).transaction() as tx:
        return MerchantRead.from_domain(await service.rename_merchant(tx, merchant_id, body.name))


@router.post("/merchants/{merchant_id}/suspend", response_model=MerchantRead)
async def suspend_merchant(
    merchant_id: UUID,
    body: SuspensionCreate,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    """Takes no orders any more; every service refuses its keys within 5 seconds. What was ordered
    before is delivered, and money that comes is booked.
    """

    async def work(tx: Transaction) -> MerchantRead:
        return MerchantRead.from_domain(await api_keys.suspend(tx, merchant_id, body.reason))

    return await run(who, work, status=200)


@router.post("/merchants/{merchant_id}/resume", response_model=MerchantRead)
async def resume_merchant(
    merchant_id: UUID, run: Once = once(), who: Caller = caller("platform:write")
) -> Response:
    """Ends a suspension; keys that were revoked meanwhile stay so."""

    async def work(tx: Transaction) -> MerchantRead:
        return MerchantRead.from_domain(await api_keys.resume(tx, merchant_id))

    return await run(who, work, status=200)


@router.post("/channels", status_code=201, response_model=ChannelRead)
async def create_channel(
    body: ChannelCreate, run: Once = once(), who: Caller = caller("channels:write")
) -> Response:
    """One more way of this merchant to sell. How much of a stock it is guaranteed is set at the
    stock: `PUT /v1/pools/{id}/quota` of inventory-vault.
    """

    async def work(tx: Transaction) -> ChannelRead:
        channel = await service.create_channel(
            tx,
            who.merchant,
            body.name,
            body.kind,
            is_trusted=body.trusted,
            rules=body.rules(),
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


@router.get("/channels/{channel_id}", response_model=ChannelRead)
async def get_channel(
    request: Request, channel_id: UUID, who: Caller = caller("channels:read")
) -> ChannelRead:
    async with cast(Database, request.app.state.db).read() as tx:
        return ChannelRead.from_domain(await service.get_channel(tx, who.merchant, channel_id))


@router.patch("/channels/{channel_id}", response_model=ChannelRead)
async def edit_channel(
    request: Request,
    channel_id: UUID,
    body: ChannelEdit,
    who: Caller = caller("channels:write"),
) -> ChannelRead:
    """Sets what the body names; orders placed before are not touched."""
    async with cast(Database, request.app.state.db).transaction() as tx:
        channel = await service.edit_channel(tx, who.merchant, channel_id, body.changes())
    return ChannelRead.from_domain(channel)
