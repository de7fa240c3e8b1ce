from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from inventory_vault.actions.schemas import (
    StockActionCreate,
    StockActionOutcome,
    StockActionRead,
)
from inventory_vault.actions.service import StockActionService
from inventory_vault.withdrawals.domain import Action
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request


def stock_action_routes(db: Database, actions: StockActionService) -> APIRouter:
    router = APIRouter(prefix="/v1/stock-actions", tags=["withdrawals"])

    @router.post("", status_code=201, response_model=StockActionOutcome)
    async def act_on_stock(
        body: StockActionCreate, who: Caller = caller("stock:write"), run: Once = once()
    ) -> Response:
        """Quarantines, restores, voids or activates what a filter names, up to 10,000 units a
        call; call again (with another Idempotency-Key) while `more`. What is held or sold is never
        touched.
        """

        async def work(tx: Transaction) -> StockActionOutcome:
            outcome = await actions.act(
                tx,
                who.merchant,
                Action(body.action),
                body.filter.to_domain(),
                document=body.filter.model_dump(mode="json", exclude_none=True),
                reason=body.reason,
                is_dry_run=body.dry_run,
                requested_by=f"{who.kind}:{who.id}",
            )
            return StockActionOutcome.of(outcome)

        return await run(who, work)

    @router.get("")
    async def list_stock_actions(
        page: Annotated[PageRequest, Depends(page_request)], who: Caller = caller("stock:read")
    ) -> Page[StockActionRead]:
        """What was done to stock by hand, and why; the newest first."""
        after = page.after_as(UUID)
        async with db.read() as tx:
            found = await actions.list_of(
                tx, who.merchant, after=after[0] if after else None, limit=page.limit + 1
            )
        return page_of(
            found, page, read=StockActionRead.from_domain, position=lambda entry: [entry.id]
        )

    return router
