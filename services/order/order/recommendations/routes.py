from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request

from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page
from order.orders import service as orders
from order.recommendations import service
from order.recommendations.domain import Rule
from order.recommendations.schemas import RecommendationRead

router = APIRouter(prefix="/v1", tags=["marketing"])

LIMIT_MAX = 20
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="products at most")]


@router.get("/products/{product_id}/recommendations", response_model=Page[RecommendationRead])
async def recommend_for_product(
    request: Request,
    product_id: UUID,
    limit: Limit = 5,
    who: Caller = caller("catalogue:read"),
) -> Page[RecommendationRead]:
    """What buyers of this product bought with it, the most frequent first: in enough of the
    merchant's own recent orders, on sale and in stock. There is one page.
    """
    async with cast(Database, request.app.state.db).read() as tx:
        found = await service.list_for_product(tx, who.merchant, product_id, _rule(request), limit)
    return Page(items=[RecommendationRead.from_domain(each) for each in found])


@router.get("/orders/{order_id}/recommendations", response_model=Page[RecommendationRead])
async def recommend_for_order(
    request: Request,
    order_id: UUID,
    limit: Limit = 5,
    who: Caller = caller("orders:read"),
) -> Page[RecommendationRead]:
    """What else to offer to the buyer of this order: never what it has already."""
    async with cast(Database, request.app.state.db).read() as tx:
        order = await orders.get_order(tx, who.merchant, order_id)
        found = await service.list_for_order(tx, order, _rule(request), limit)
    return Page(items=[RecommendationRead.from_domain(each) for each in found])


def _rule(request: Request) -> Rule:
    return cast(Rule, request.app.state.recommendation_rule)
