from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request
from order.contacts import ContactHasher
from order.orders.domain import OrderView
from order.orders.schemas import OrderRead
from order.search import service
from order.search.domain import Filter, Place
from order.search.schemas import ContactFilter, ExportRead, OrderFilter, OrderSearch
from order.search.service import SearchService

router = APIRouter(prefix="/v1", tags=["orders"])

Paging = Annotated[PageRequest, Depends(page_request)]
_CSV: dict[int | str, dict[str, Any]] = {  # FastAPI's own type
    200: {"description": "CSV, UTF-8", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/orders", response_model=Page[OrderRead])
async def list_orders(
    request: Request,
    page: Paging,
    wanted: Annotated[OrderFilter, Query()],
    who: Caller = caller("orders:read"),
) -> Page[OrderRead]:
    """The newest first. To look by e-mail or phone use `POST /v1/orders/search`."""
    return await _page(request, who, wanted.to_domain(), page)


@router.post("/orders/search", response_model=Page[OrderRead])
async def search_orders(
    request: Request, body: OrderSearch, who: Caller = caller("orders:read")
) -> Page[OrderRead]:
    """As `GET /v1/orders`, and by the buyer's e-mail or phone: a body stands in no log.

    It changes nothing and takes no Idempotency-Key.
    """
    contacts = cast(ContactHasher, request.app.state.contacts)
    page = page_request(body.limit, body.cursor)
    return await _page(request, who, body.hashed(contacts), page)


@router.get("/orders/export.csv", response_class=StreamingResponse, responses=_CSV)
async def export_orders(
    request: Request,
    wanted: Annotated[OrderFilter, Query()],
    who: Caller = caller("orders:read"),
) -> StreamingResponse:
    """One row for each line of the orders found, the newest order first. Contacts are masked unless
    the key has `contacts:read`. Each export is recorded: `GET /v1/order-exports`.
    """
    return await _export(request, who, wanted.to_domain())


@router.post("/orders/export", response_class=StreamingResponse, responses=_CSV)
async def export_found_orders(
    request: Request, body: ContactFilter, who: Caller = caller("orders:read")
) -> StreamingResponse:
    """As `GET /v1/orders/export.csv`, and by the buyer's e-mail or phone."""
    return await _export(request, who, body.hashed(cast(ContactHasher, request.app.state.contacts)))


@router.get("/order-exports", response_model=Page[ExportRead])
async def list_exports(
    request: Request, page: Paging, who: Caller = caller("orders:read")
) -> Page[ExportRead]:
    """Who took which orders out, the newest first."""
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        found = await service.list_exports(
            tx, who.merchant, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(found, page, read=ExportRead.from_domain, position=lambda export: [export.id])


async def _page(
    request: Request, who: Caller, wanted: Filter, page: PageRequest
) -> Page[OrderRead]:
    after = page.after_as(_moment, UUID)
    found = await _search(request).find(
        who.merchant, wanted, after=Place(*after) if after else None, limit=page.limit + 1
    )
    return page_of(found, page, read=_read, position=_position)


async def _export(request: Request, who: Caller, wanted: Filter) -> StreamingResponse:
    search, has_contacts = _search(request), who.may("contacts:read")
    export_id = await search.begin_export(
        who.merchant, wanted, f"{who.kind}:{who.id}", has_contacts=has_contacts
    )
    rows = search.export(export_id, who.merchant, wanted, has_contacts=has_contacts)
    return StreamingResponse(
        rows,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="orders-{export_id}.csv"'},
    )


def _search(request: Request) -> SearchService:
    return cast(SearchService, request.app.state.search)


def _read(found: tuple[Place, OrderView]) -> OrderRead:
    return OrderRead.from_view(found[1])


def _position(found: tuple[Place, OrderView]) -> Sequence[object]:
    place, _ = found
    return [place.at, place.order_id]


def _moment(value: str) -> datetime:
    """Raises ValueError for a time without a zone: no list of ours gave it out."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at
