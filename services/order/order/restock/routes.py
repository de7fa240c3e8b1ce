from collections.abc import Awaitable, Callable
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.contacts import Contact, ContactBox
from order.restock import service
from order.restock.domain import RestockRequest, RestockStatus
from order.restock.schemas import RestockRequestCreate, RestockRequestRead

router = APIRouter(prefix="/v1/restock-requests", tags=["marketing"])

Paging = Annotated[PageRequest, Depends(page_request)]
Status = Annotated[RestockStatus, Query(description="due: the notices to send")]
End = Callable[[Transaction, UUID, UUID], Awaitable[RestockRequest]]


@router.post("", status_code=201, response_model=RestockRequestRead)
async def request_restock_notice(
    request: Request,
    body: RestockRequestCreate,
    run: Once = once(),
    who: Caller = caller("orders:write"),
) -> Response:
    """Lets a buyer wait for a sold-out product. Once for each buyer and product: again changes the
    contact only. 409 `still_in_stock`, 422 `not_from_pool`.
    """
    wanted = body.to_domain(who.merchant, _box(request))

    async def work(tx: Transaction) -> RestockRequestRead:
        return _masked(request, await service.request(tx, wanted))

    return await run(who, work)


@router.get("", response_model=Page[RestockRequestRead])
async def list_restock_requests(
    request: Request,
    page: Paging,
    status: Status = RestockStatus.DUE,
    who: Caller = caller("orders:read"),
) -> Page[RestockRequestRead]:
    """The oldest first. Contacts are in clear for a key with `contacts:read`."""
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        found = await service.list_requests(
            tx, who.merchant, status, after=after[0] if after else None, limit=page.limit + 1
        )

    def read(each: RestockRequest) -> RestockRequestRead:
        if not who.may("contacts:read"):
            return _masked(request, each)
        return RestockRequestRead.from_domain(each, _contact(request, each))

    return page_of(found, page, read=read, position=lambda each: [each.id])


@router.post("/{request_id}/sent", response_model=RestockRequestRead)
async def mark_notice_sent(
    request: Request,
    request_id: UUID,
    run: Once = once(),
    who: Caller = caller("orders:write"),
) -> Response:
    """The buyer was told; the contact is deleted. 409 `restock_request_closed` unless it is due."""
    return await _end(request, run, who, request_id, service.mark_sent)


@router.post("/{request_id}/withdraw", response_model=RestockRequestRead)
async def withdraw_restock_request(
    request: Request,
    request_id: UUID,
    run: Once = once(),
    who: Caller = caller("orders:write"),
) -> Response:
    """The buyer does not wait any more; the contact is deleted."""
    return await _end(request, run, who, request_id, service.withdraw)


async def _end(request: Request, run: Once, who: Caller, request_id: UUID, end: End) -> Response:
    async def work(tx: Transaction) -> RestockRequestRead:
        return _masked(request, await end(tx, who.merchant, request_id))

    return await run(who, work, status=200)


def _masked(request: Request, found: RestockRequest) -> RestockRequestRead:
    """Answers to calls that act are stored for repeats: no contact in clear may be in them."""
    return RestockRequestRead.from_domain(found, _contact(request, found).masked)


def _contact(request: Request, found: RestockRequest) -> Contact:
    return _box(request).open(found.contact) if found.contact is not None else Contact(None, None)


def _box(request: Request) -> ContactBox:
    return cast(ContactBox, request.app.state.contact_box)
