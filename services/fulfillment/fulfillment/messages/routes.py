"""Messages for shops and operators."""

from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.messages.schemas import BounceCreate, MessageList, MessageRead, ResendCreate
from fulfillment.messages.service import MessageService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(tags=["messages"])
READ = "messages:read"
WRITE = "messages:write"
RESEND = "deliveries:write"

State = Literal["queued", "sent", "failed", "bounced", "undeliverable"]
ChannelName = Literal["mail", "sms", "inbox"]


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _messages(request: Request) -> MessageService:
    return cast(MessageService, request.app.state.messages)


Db = Annotated[Database, Depends(_db)]
Messages = Annotated[MessageService, Depends(_messages)]


@router.get("/v1/messages", summary="List messages")
async def list_messages(
    db: Db,
    messages: Messages,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    order_id: Annotated[UUID | None, Query(description="Only those of this order.")] = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    channel: Annotated[
        ChannelName | None, Query(description="Only those tried last by this channel.")
    ] = None,
) -> Page[MessageRead]:
    """Newest first, each with its attempts. `state=failed` is what an operator has to look at."""
    position = page.after_as(UUID)
    filters = {"order_id": order_id, "state": state, "channel": channel}
    async with db.read() as tx:
        found = await messages.list_messages(
            tx,
            who.merchant,
            filters,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=MessageRead.from_domain, position=lambda it: [it.id])


@router.get("/v1/messages/{message_id}", summary="Read a message")
async def read_message(
    message_id: UUID, db: Db, messages: Messages, who: Caller = caller(READ)
) -> MessageRead:
    async with db.read() as tx:
        return MessageRead.from_domain(await messages.get(tx, who.merchant, message_id))


@router.post(
    "/v1/deliveries/{delivery_id}/resend",
    status_code=201,
    response_model=MessageRead,
    summary="Tell the buyer again",
)
async def resend_delivery(
    delivery_id: UUID,
    body: ResendCreate,
    messages: Messages,
    run: Once = once(),
    who: Caller = caller(RESEND),
) -> Response:
    """What became of the order, to the buyer's address, or to a corrected one from now on."""

    async def work(tx: Transaction) -> MessageRead:
        message = await messages.resend(
            tx,
            who.merchant,
            delivery_id,
            email=body.email or "",
            phone=body.phone or "",
            who=who.id,
        )
        return MessageRead.from_domain(message)

    return await run(who, work, location=lambda made: f"/v1/messages/{made.id}")


@router.post(
    "/v1/message-bounces", response_model=MessageList, summary="Report mails that came back"
)
async def report_bounce(
    body: BounceCreate, messages: Messages, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """Hand over every mail that arrives where bounces go. A mail that failed for good is told by
    the next channel; the same report again changes nothing.
    """

    async def work(tx: Transaction) -> MessageList:
        report = body.report.encode("utf-8", "replace")
        found = await messages.bounce(tx, who.merchant, report)
        return MessageList(items=[MessageRead.from_domain(message) for message in found])

    return await run(who, work, status=200)
