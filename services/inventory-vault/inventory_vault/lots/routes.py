from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from inventory_vault.costs import service as costs
from inventory_vault.cover import service as cover
from inventory_vault.lots.domain import Levels
from inventory_vault.lots.schemas import (
    ConservationRead,
    LotRead,
    PoolChange,
    PoolCosts,
    PoolCreate,
    PoolRead,
    PoolSummary,
)
from inventory_vault.lots.service import LotService
from inventory_vault.pools.domain import UnitKind
from inventory_vault.pools.service import PoolService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

POOLS_MAX = 100


def pool_routes(db: Database, pools: PoolService, lots: LotService) -> APIRouter:
    """Pools with what stands in them."""
    router = APIRouter(prefix="/v1/pools", tags=["pools"])

    @router.post("", status_code=201, response_model=PoolRead)
    async def create_pool(
        body: PoolCreate, who: Caller = caller("stock:write"), run: Once = once()
    ) -> Response:
        """A pool: interchangeable units sold as one kind of good."""

        async def work(tx: Transaction) -> PoolRead:
            pool = await pools.create(
                tx,
                who.merchant,
                name=body.name,
                unit_kind=UnitKind(body.unit_kind),
                low_stock_threshold=body.low_stock_threshold,
                low_cover_days=body.low_cover_days,
                hold_budget=body.hold_budget.to_domain() if body.hold_budget else {},
                requested_by=f"{who.kind}:{who.id}",
            )
            return PoolRead(**PoolSummary.of(pool, Levels()).model_dump(), lots=[])

        return await run(who, work, location=lambda pool: f"/v1/pools/{pool.id}")

    @router.get("")
    async def list_pools(
        page: Annotated[PageRequest, Depends(page_request)], who: Caller = caller("stock:read")
    ) -> Page[PoolSummary]:
        """Your pools with their levels, the oldest first."""
        after = page.after_as(UUID)
        async with db.read() as tx:
            found = await pools.list_of(
                tx, who.merchant, after=after[0] if after else None, limit=page.limit + 1
            )
            levels = await lots.levels(tx, [pool.id for pool in found])
        return page_of(
            found,
            page,
            read=lambda pool: PoolSummary.of(pool, levels[pool.id]),
            position=lambda pool: [pool.id],
        )

    @router.get("/costs")
    async def get_costs(
        pool_id: Annotated[list[UUID], Query(min_length=1, max_length=POOLS_MAX)],
        who: Caller = caller("stock:read"),
    ) -> PoolCosts:
        """What units of several pools cost at most: the dearest of the newest 100 lots with units
        for sale, in each currency. A pool that is not yours has no costs.
        """
        async with db.read() as tx:
            return PoolCosts.of(await costs.dearest(tx, who.merchant, pool_id))

    @router.get("/{pool_id}")
    async def get_pool(pool_id: UUID, who: Caller = caller("stock:read")) -> PoolRead:
        """A pool, its exact levels and its lots."""
        async with db.read() as tx:
            pool = await pools.get(tx, who.merchant, pool_id)
            levels = await lots.levels(tx, [pool_id])
            found = await lots.list_of_pool(tx, pool_id)
            pace = (await cover.paces_of(tx, [pool_id]))[pool_id]
        summary = PoolSummary.of(pool, levels[pool_id])
        return PoolRead(
            **summary.model_dump(),
            sold_per_day=pace.sold_per_day,
            cover_days=pace.cover_days(levels[pool_id].available),
            lots=[LotRead.from_domain(lot).model_dump() for lot in found],
        )

    _add_change(router, pools, lots)
    return router


def _add_change(router: APIRouter, pools: PoolService, lots: LotService) -> None:
    @router.patch("/{pool_id}", response_model=PoolSummary)
    async def change_pool(
        pool_id: UUID,
        body: PoolChange,
        who: Caller = caller("stock:write"),
        run: Once = once(),
    ) -> Response:
        """Changes what is given. Budgets count holds that are made from then on."""

        async def work(tx: Transaction) -> PoolSummary:
            pool = await pools.change(
                tx,
                who.merchant,
                pool_id,
                body.to_domain(),
                requested_by=f"{who.kind}:{who.id}",
            )
            levels = await lots.levels(tx, [pool_id])
            return PoolSummary.of(pool, levels[pool_id])

        return await run(who, work, status=200)


def lot_routes(db: Database, lots: LotService) -> APIRouter:
    router = APIRouter(prefix="/v1/lots", tags=["lots"])

    @router.get("/{lot_id}")
    async def get_lot(lot_id: UUID, who: Caller = caller("stock:read")) -> LotRead:
        """A lot with its exact levels."""
        async with db.read() as tx:
            return LotRead.from_domain(await lots.get(tx, who.merchant, lot_id))

    @router.get("/{lot_id}/conservation")
    async def get_conservation(
        lot_id: UUID, who: Caller = caller("stock:read")
    ) -> ConservationRead:
        """Imported = the sum of all states: the books, and the rows counted one by one."""
        async with db.transaction() as tx:
            return ConservationRead.from_domain(await lots.conservation(tx, who.merchant, lot_id))

    return router
