"""Inboxes for shops."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.inbox.schemas import InboxMessageRead
from fulfillment.inbox.service import InboxService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/inbox", tags=["inbox"])
READ = "messages:read"
WRITE = "messages:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _inbox(request: Request) -> InboxService:
    return cast(InboxService, request.app.state.inbox)


Inbox = Annotated[InboxService, Depends(_inbox)]
CustomerId = Annotated[
    str,
    Query(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="Whose inbox: the customer's id in the shop's orders.",
        examples=["buyer-7"],
    ),
]


@router.get("", summary="List a customer's messages")
async def list_inbox(
    db: Annotated[Database, Depends(_db)],
    inbox: Inbox,
    customer_id: CustomerId,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
) -> Page[InboxMessageRead]:
    """Newest first. Show them to this customer only: a message may hold the link to an order."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await inbox.list_messages(
            tx,
            who.merchant,
            customer_id,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=InboxMessageRead.from_domain, position=lambda it: [it.id])


@router.post("/{message_id}/read", response_model=InboxMessageRead, summary="Mark a message read")
async def read_inbox_message(
    message_id: UUID, inbox: Inbox, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """The customer has seen it. The first time stays."""

    async def work(tx: Transaction) -> InboxMessageRead:
        return InboxMessageRead.from_domain(await inbox.note_read(tx, who.merchant, message_id))

    return await run(who, work, status=200)
