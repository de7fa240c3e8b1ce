from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.coupons import service as limits
from order.price_rules import service
from order.price_rules.domain import RuleKind
from order.promotions.schemas import PromotionCreate, PromotionEdit, PromotionRead

router = APIRouter(prefix="/v1/promotions", tags=["prices"])

Paging = Annotated[PageRequest, Depends(page_request)]
KIND = RuleKind.PROMOTION


@router.post("", status_code=201, response_model=PromotionRead)
async def create_promotion(
    body: PromotionCreate, run: Once = once(), who: Caller = caller("prices:write")
) -> Response:
    """Lower prices for a time. With a budget it ends by itself once so much was given away."""
    rule = body.to_domain(who.merchant)

    async def work(tx: Transaction) -> PromotionRead:
        added = await service.add(tx, rule)
        await limits.limit(tx, added)
        return PromotionRead.from_domain(added)

    return await run(who, work, location=lambda made: f"/v1/promotions/{made.id}")


@router.get("", response_model=Page[PromotionRead])
async def list_promotions(
    request: Request, page: Paging, who: Caller = caller("prices:read")
) -> Page[PromotionRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_rules(
            tx, who.merchant, KIND, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=PromotionRead.from_domain, position=lambda rule: [rule.id])


@router.get("/{promotion_id}", response_model=PromotionRead)
async def get_promotion(
    request: Request, promotion_id: UUID, who: Caller = caller("prices:read")
) -> PromotionRead:
    async with cast(Database, request.app.state.db).read() as tx:
        rule = await service.get(tx, who.merchant, KIND, promotion_id)
    return PromotionRead.from_domain(rule)


@router.patch("/{promotion_id}", response_model=PromotionRead)
async def edit_promotion(
    request: Request,
    promotion_id: UUID,
    body: PromotionEdit,
    who: Caller = caller("prices:write"),
) -> PromotionRead:
    """Sets what is given, as the next version; orders placed before are not touched. 409
    `limit_below_use` for a budget of which more is given away.
    """
    async with cast(Database, request.app.state.db).transaction() as tx:
        rule = await service.edit(tx, who.merchant, KIND, promotion_id, body.applied)
        await limits.limit(tx, rule)
    return PromotionRead.from_domain(rule)
