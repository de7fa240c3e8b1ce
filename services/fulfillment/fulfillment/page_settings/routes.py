"""How a merchant's buyers' pages look and what they ask for."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from fulfillment.page_settings.schemas import PageSettingsBody
from fulfillment.page_settings.service import PageSettingsService
from kit.db import Database
from kit.http import Caller, caller

router = APIRouter(prefix="/v1/page-settings", tags=["buyer's page"])


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _settings(request: Request) -> PageSettingsService:
    return cast(PageSettingsService, request.app.state.page_settings)


Db = Annotated[Database, Depends(_db)]
Settings = Annotated[PageSettingsService, Depends(_settings)]


@router.get("", summary="Read the settings of the buyers' pages")
async def read_page_settings(
    db: Db, settings: Settings, who: Caller = caller("deliveries:read")
) -> PageSettingsBody:
    """The defaults until they are set."""
    async with db.read() as tx:
        return PageSettingsBody.from_domain(await settings.of_merchant(tx, who.merchant))


@router.put("", summary="Set how buyers' pages look and what they ask for")
async def put_page_settings(
    body: PageSettingsBody, db: Db, settings: Settings, who: Caller = caller("deliveries:write")
) -> PageSettingsBody:
    """Replaces all of them; they hold from the next page that is opened."""
    async with db.transaction() as tx:
        put = await settings.put(tx, body.to_domain(who.merchant))
    return PageSettingsBody.from_domain(put)
