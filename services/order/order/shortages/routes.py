from typing import cast

from fastapi import APIRouter, Request

from kit.db import Database
from kit.http import Caller, caller
from order.merchants import service as merchants
from order.shortages.schemas import ShortagePolicy

router = APIRouter(prefix="/v1/shortage-policy", tags=["catalogue"])


@router.put("", response_model=ShortagePolicy)
async def set_shortage_policy(
    request: Request, body: ShortagePolicy, who: Caller = caller("catalogue:write")
) -> ShortagePolicy:
    """The merchant's own; a channel's `shortage` and a product's count before it."""
    async with cast(Database, request.app.state.db).transaction() as tx:
        await merchants.set_shortage(tx, who.merchant, body.document)
    return body


@router.get("", response_model=ShortagePolicy)
async def get_shortage_policy(
    request: Request, who: Caller = caller("catalogue:read")
) -> ShortagePolicy:
    async with cast(Database, request.app.state.db).read() as tx:
        document = await merchants.find_shortage(tx, who.merchant)
    return ShortagePolicy.from_document(document)
