from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.price_lists.schemas import (
    EntryModel,
    PriceListCreate,
    PriceListEdit,
    PriceListRead,
    PriceRoundingPut,
    PriceRoundingRead,
    currency_of,
    ladders_of,
)
from order.price_rules import service
from order.price_rules.domain import RuleKind

router = APIRouter(prefix="/v1", tags=["prices"])

Paging = Annotated[PageRequest, Depends(page_request)]
KIND = RuleKind.PRICE_LIST


@router.post("/price-lists", status_code=201, response_model=PriceListRead)
async def create_price_list(
    body: PriceListCreate, run: Once = once(), who: Caller = caller("prices:write")
) -> Response:
    """Prices for channels or groups; 422 `tiers_rise` unless `allow_rising` is said."""
    rule, entries = body.to_domain(who.merchant), ladders_of(body.entries, body.currency)

    async def work(tx: Transaction) -> PriceListRead:
        added = await service.add(tx, rule)
        await service.put_entries(tx, added, entries)
        return PriceListRead.from_domain(added)

    return await run(who, work, location=lambda made: f"/v1/price-lists/{made.id}")


@router.get("/price-lists", response_model=Page[PriceListRead])
async def list_price_lists(
    request: Request, page: Paging, who: Caller = caller("prices:read")
) -> Page[PriceListRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_rules(
            tx, who.merchant, KIND, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=PriceListRead.from_domain, position=lambda rule: [rule.id])


@router.get("/price-lists/{price_list_id}", response_model=PriceListRead)
async def get_price_list(
    request: Request, price_list_id: UUID, who: Caller = caller("prices:read")
) -> PriceListRead:
    async with cast(Database, request.app.state.db).read() as tx:
        rule = await service.get(tx, who.merchant, KIND, price_list_id)
    return PriceListRead.from_domain(rule)


@router.get("/price-lists/{price_list_id}/entries", response_model=Page[EntryModel])
async def list_entries(
    request: Request, price_list_id: UUID, page: Paging, who: Caller = caller("prices:read")
) -> Page[EntryModel]:
    """By SKU."""
    after = page.after_as(str)
    async with cast(Database, request.app.state.db).read() as tx:
        rule = await service.get(tx, who.merchant, KIND, price_list_id)
        rows = await service.list_entries(
            tx, rule, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(
        rows,
        page,
        read=lambda row: EntryModel.from_domain(row[0], row[1], currency_of(rule)),
        position=lambda row: [row[0]],
    )


@router.patch("/price-lists/{price_list_id}", response_model=PriceListRead)
async def edit_price_list(
    request: Request,
    price_list_id: UUID,
    body: PriceListEdit,
    who: Caller = caller("prices:write"),
) -> PriceListRead:
    """Sets what is given, as the next version; orders placed before are not touched."""
    async with cast(Database, request.app.state.db).transaction() as tx:
        rule = await service.edit(tx, who.merchant, KIND, price_list_id, body.applied)
        entries = ladders_of(body.entries, currency_of(rule))
        await service.put_entries(tx, rule, entries, body.removed_skus)
    return PriceListRead.from_domain(rule)


@router.put("/price-rounding", response_model=PriceRoundingRead)
async def set_price_rounding(
    request: Request, body: PriceRoundingPut, who: Caller = caller("prices:write")
) -> PriceRoundingRead:
    """How every price that a rule made is rounded. Base prices stay as they are."""
    rounding = body.rounding.to_domain() if body.rounding else None
    async with cast(Database, request.app.state.db).transaction() as tx:
        await service.set_rounding(tx, who.merchant, rounding)
    return PriceRoundingRead.from_domain(rounding)


@router.get("/price-rounding", response_model=PriceRoundingRead)
async def get_price_rounding(
    request: Request, who: Caller = caller("prices:read")
) -> PriceRoundingRead:
    async with cast(Database, request.app.state.db).read() as tx:
        rounding = await service.find_rounding(tx, who.merchant)
    return PriceRoundingRead.from_domain(rounding)
