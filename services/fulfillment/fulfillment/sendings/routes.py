"""What the other side of a sender says later. Who calls is proven by its signature."""

from typing import cast
from uuid import UUID

from fastapi import APIRouter, Request, Response

from fulfillment.sendings.service import SendingService
from kit.db import Database

router = APIRouter(prefix="/v1/sender-callbacks", tags=["senders"])


@router.post("/{sender_id}", status_code=204, summary="Hear what became of a message")
async def hear_sender(sender_id: UUID, request: Request) -> Response:
    """For the gateway of a merchant's sender, which signs its calls: a message that it took and
    could not bring is told by the next channel. Repeats change nothing.
    """
    sendings = cast(SendingService, request.app.state.sendings)
    db = cast(Database, request.app.state.db)
    body = await request.body()
    async with db.transaction() as tx:
        await sendings.hear(tx, sender_id, request.headers, body)
    return Response(status_code=204)
