from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.margins.schemas import MarginFloorCreate, MarginFloorEdit, MarginFloorRead
from order.price_rules import service
from order.price_rules.domain import RuleKind
from order.price_rules.schemas import edited

router = APIRouter(prefix="/v1/margin-floors", tags=["prices"])

Paging = Annotated[PageRequest, Depends(page_request)]
KIND = RuleKind.MARGIN_FLOOR


@router.post("", status_code=201, response_model=MarginFloorRead)
async def create_margin_floor(
    body: MarginFloorCreate, run: Once = once(), who: Caller = caller("prices:write")
) -> Response:
    """What units must bring above cost: flagged in quotes, refused in orders."""
    rule = body.to_domain(who.merchant)

    async def work(tx: Transaction) -> MarginFloorRead:
        return MarginFloorRead.from_domain(await service.add(tx, rule))

    return await run(who, work, location=lambda made: f"/v1/margin-floors/{made.id}")


@router.get("", response_model=Page[MarginFloorRead])
async def list_margin_floors(
    request: Request, page: Paging, who: Caller = caller("prices:read")
) -> Page[MarginFloorRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_rules(
            tx, who.merchant, KIND, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=MarginFloorRead.from_domain, position=lambda rule: [rule.id])


@router.get("/{margin_floor_id}", response_model=MarginFloorRead)
async def get_margin_floor(
    request: Request, margin_floor_id: UUID, who: Caller = caller("prices:read")
) -> MarginFloorRead:
    async with cast(Database, request.app.state.db).read() as tx:
        rule = await service.get(tx, who.merchant, KIND, margin_floor_id)
    return MarginFloorRead.from_domain(rule)


@router.patch("/{margin_floor_id}", response_model=MarginFloorRead)
async def edit_margin_floor(
    request: Request,
    margin_floor_id: UUID,
    body: MarginFloorEdit,
    who: Caller = caller("prices:write"),
) -> MarginFloorRead:
    """Sets what is given, as the next version; orders placed before are not touched."""
    async with cast(Database, request.app.state.db).transaction() as tx:
        rule = await service.edit(
            tx, who.merchant, KIND, margin_floor_id, lambda rule: edited(body, rule)
        )
    return MarginFloorRead.from_domain(rule)
