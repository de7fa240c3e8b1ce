"""When buyers are reminded, as merchants set it."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from fulfillment.reminders.schemas import ReminderSettingBody
from fulfillment.reminders.service import ReminderService
from kit.db import Database
from kit.http import Caller, caller

router = APIRouter(prefix="/v1/reminder-settings", tags=["holdings"])


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _reminders(request: Request) -> ReminderService:
    return cast(ReminderService, request.app.state.reminders)


Db = Annotated[Database, Depends(_db)]
Reminders = Annotated[ReminderService, Depends(_reminders)]


@router.put("", summary="Set when buyers are reminded")
async def put_reminder_settings(
    body: ReminderSettingBody,
    db: Db,
    reminders: Reminders,
    who: Caller = caller("messages:write"),
) -> ReminderSettingBody:
    """Of units with an end that nobody opened, and of vouchers of which something is left."""
    setting = body.to_domain(who.merchant)
    async with db.transaction() as tx:
        await reminders.put(tx, setting)
    return ReminderSettingBody.from_domain(setting)


@router.get("", summary="Read when buyers are reminded")
async def read_reminder_settings(
    db: Db, reminders: Reminders, who: Caller = caller("messages:read")
) -> ReminderSettingBody:
    """What is set, or the default."""
    async with db.read() as tx:
        return ReminderSettingBody.from_domain(await reminders.get(tx, who.merchant))
