from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from inventory_vault.custody.domain import checked_recipient_key
from inventory_vault.custody.service import CustodyService
from inventory_vault.units.domain import UnitFilter
from inventory_vault.units.schemas import (
    EvidenceRead,
    RevealCreate,
    RevealedBox,
    RevealRead,
    UnitRead,
    UnitStateText,
    ViewRead,
)
from inventory_vault.units.service import UnitService
from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request


def unit_routes(db: Database, units: UnitService, custody: CustodyService) -> APIRouter:
    router = APIRouter(prefix="/v1/units", tags=["units"])

    @router.post("/{unit_id}/reveal")
    async def reveal(
        unit_id: UUID, body: RevealCreate, who: Caller = caller("keys:reveal")
    ) -> RevealRead:
        """Shows a sold unit to the owner of `recipient_public_key`, and to nobody else. The view
        is in the log before this answers; every call is a view of its own.
        """
        key = checked_recipient_key(body.recipient_public_key)
        async with db.transaction() as tx:
            view_id = await units.note_view(
                tx,
                who.merchant,
                unit_id,
                recipient_public_key=key,
                viewer=body.viewer.to_domain(),
                reason=body.reason,
                requested_by=f"{who.kind}:{who.id}",
            )
        box = await custody.show(unit_id, view_id)
        return RevealRead(unit_id=unit_id, view_id=view_id, box=RevealedBox.from_domain(box))

    _add_list(router, db, units)

    @router.get("/{unit_id}/evidence")
    async def get_evidence(unit_id: UUID, who: Caller = caller("stock:read")) -> EvidenceRead:
        """When it was sold and seen, and how many of its lot were: for whoever decides about a
        complaint. 409 `unit_not_sold`.
        """
        async with db.read() as tx:
            return EvidenceRead.from_domain(await units.get_evidence(tx, who.merchant, unit_id))

    @router.get("/{unit_id}")
    async def get_unit(unit_id: UUID, who: Caller = caller("stock:read")) -> UnitRead:
        """What may be known of a unit without opening it."""
        async with db.read() as tx:
            return UnitRead.from_domain(await units.get(tx, who.merchant, unit_id))

    @router.get("/{unit_id}/views")
    async def list_views(
        unit_id: UUID,
        page: Annotated[PageRequest, Depends(page_request)],
        who: Caller = caller("stock:read"),
    ) -> Page[ViewRead]:
        """Who saw the unit, when, from where, why; the oldest first."""
        after = page.after_as(UUID)
        async with db.read() as tx:
            found = await units.list_views(
                tx,
                who.merchant,
                unit_id,
                after=after[0] if after else None,
                limit=page.limit + 1,
            )
        return page_of(found, page, read=ViewRead.from_domain, position=lambda view: [view.id])

    return router


def _add_list(router: APIRouter, db: Database, units: UnitService) -> None:
    @router.get("")
    async def list_units(
        page: Annotated[PageRequest, Depends(page_request)],
        who: Caller = caller("stock:read"),
        pool_id: UUID | None = None,
        lot_id: UUID | None = None,
        reservation_id: UUID | None = None,
        state: UnitStateText | None = None,
    ) -> Page[UnitRead]:
        """Units of a pool, a lot or a reservation, by state; masks only. In order of lots."""
        after = page.after_as(UUID, int)
        wanted = UnitFilter(pool_id, lot_id, reservation_id, state)
        async with db.read() as tx:
            found = await units.list_of(
                tx,
                who.merchant,
                wanted,
                after=(after[0], after[1]) if after else None,
                limit=page.limit + 1,
            )
        return page_of(
            found, page, read=UnitRead.from_domain, position=lambda unit: [unit.lot_id, unit.seq]
        )
