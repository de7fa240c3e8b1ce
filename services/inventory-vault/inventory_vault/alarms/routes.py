from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from inventory_vault.alarms.schemas import AlarmClose, AlarmRead
from inventory_vault.alarms.service import AlarmService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request


def alarm_routes(db: Database, alarms: AlarmService) -> APIRouter:
    router = APIRouter(prefix="/v1/alarms", tags=["alarms"])

    @router.get("")
    async def list_alarms(
        page: Annotated[PageRequest, Depends(page_request)],
        who: Caller = caller("alarms:read"),
        is_open: Annotated[bool | None, Query(alias="open", description="only open ones")] = None,
    ) -> Page[AlarmRead]:
        """What cannot happen unless somebody interferes: refused boxes, broken books, a capped
        opener. The oldest first. A merchant's key sees the merchant's alarms, the platform's key
        those that are nobody's: the audit log, the vault's keys, the cap of all merchants.
        """
        after = page.after_as(UUID)
        async with db.read() as tx:
            found = await alarms.list_of(
                tx,
                who.merchant_id,
                is_open=is_open,
                after=after[0] if after else None,
                limit=page.limit + 1,
            )
        return page_of(found, page, read=AlarmRead.from_domain, position=lambda alarm: [alarm.id])

    @router.post("/{alarm_id}/close", response_model=AlarmRead)
    async def close_alarm(
        alarm_id: UUID,
        body: AlarmClose,
        who: Caller = caller("alarms:write"),
        run: Once = once(),
    ) -> Response:
        """Says what was done about it. The next time it happens is a new alarm."""

        async def work(tx: Transaction) -> AlarmRead:
            alarm = await alarms.close(
                tx,
                who.merchant_id,
                alarm_id,
                resolution=body.resolution,
                requested_by=f"{who.kind}:{who.id}",
            )
            return AlarmRead.from_domain(alarm)

        return await run(who, work, status=200)

    return router
