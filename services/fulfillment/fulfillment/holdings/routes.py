"""What buyers hold: for shops, and the buyer's own page."""

from datetime import timedelta
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import HTMLResponse

from fulfillment.guesses import TooManyGuesses
from fulfillment.holdings.domain import Holder
from fulfillment.holdings.schemas import (
    HoldingLinkCreate,
    HoldingLinkRead,
    HoldingRead,
    State,
)
from fulfillment.holdings.service import HoldingService
from fulfillment.links import PageNotFound
from fulfillment.misses import noting_misses, show_problem
from fulfillment.pages.domain import choose_language
from fulfillment.rendering import PAGE_HEADERS, PageRenderer
from kit.db import Database
from kit.errors import Unavailable
from kit.http import Caller, caller
from kit.paging import BadCursor, Page, PageRequest, page_of, page_request

router = APIRouter(tags=["holdings"])
_HTML: dict[str, Any] = {"content": {"text/html": {}}}


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _holdings(request: Request) -> HoldingService:
    return cast(HoldingService, request.app.state.holdings)


def _renderer(request: Request) -> PageRenderer:
    return cast(PageRenderer, request.app.state.renderer)


Db = Annotated[Database, Depends(_db)]
Holdings = Annotated[HoldingService, Depends(_holdings)]
Renderer = Annotated[PageRenderer, Depends(_renderer)]


@router.get("/v1/holdings", summary="List what a buyer holds")
async def list_holdings(
    db: Db,
    holdings: Holdings,
    customer_id: Annotated[
        str, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
    ],
    who: Caller = caller("deliveries:read"),
    page: PageRequest = Depends(page_request),
    state: Annotated[State | None, Query(description="Only units in this state.")] = None,
) -> Page[HoldingRead]:
    """Over all orders, what was delivered last first; masks only. What was replaced or paid back is
    not in it.
    """
    after = page.after_as(UUID, int, int)
    async with db.read() as tx:
        found = await holdings.list_holdings(
            tx,
            Holder(who.merchant, customer_id),
            state=state,
            after=(after[0], after[1], after[2]) if after else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=HoldingRead.from_domain, position=lambda it: it.place)


@router.post("/v1/holding-links", status_code=201, summary="Make a link to all a buyer holds")
async def make_holding_link(
    body: HoldingLinkCreate,
    db: Db,
    holdings: Holdings,
    response: Response,
    who: Caller = caller("deliveries:write"),
) -> HoldingLinkRead:
    """To be given to this buyer only. A repeat gives another address of the same page, which is
    stored nowhere: so there is no Idempotency-Key.
    """
    response.headers["Cache-Control"] = "no-store"
    holder = Holder(who.merchant, body.customer_id)
    async with db.transaction() as tx:
        url, ends_at = await holdings.make_link(
            tx, holder, timedelta(days=body.days), end_others=body.end_others
        )
    return HoldingLinkRead(url=url, ends_at=ends_at)


@router.get(
    "/h/{token}",
    response_class=HTMLResponse,
    responses={
        404: _HTML,
        410: {**_HTML, "description": "The link has ended"},
        429: {**_HTML, "description": "Too many wrong links from this address"},
        503: _HTML,
    },
    tags=["buyer's page"],
    summary="All that a buyer holds",
)
async def show_holdings(
    token: str,
    request: Request,
    db: Db,
    holdings: Holdings,
    renderer: Renderer,
    lang: Annotated[
        str | None, Query(max_length=20, description="zh or en; else Accept-Language decides")
    ] = None,
    page: PageRequest = Depends(page_request),
    accept_language: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> HTMLResponse:
    """Masked, each with a way to the page of its order, where it can be opened."""
    language = choose_language(lang, accept_language, "")
    try:
        with noting_misses(request):
            async with db.read() as tx:
                shown = await holdings.open(tx, token, page)
    except BadCursor:
        return show_problem(PageNotFound(), renderer, language)
    except (TooManyGuesses, PageNotFound, Unavailable) as problem:
        return show_problem(problem, renderer, language)
    return HTMLResponse(renderer.holdings(shown, language), headers=PAGE_HEADERS)
