"""The buyer's page. No account, no cookie: whoever has the link has the page."""

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import HTMLResponse

from fulfillment.guesses import TooManyGuesses
from fulfillment.links import PageNotFound
from fulfillment.misses import COUNTING, address_of, noting_misses, show_problem
from fulfillment.pages.domain import PART_MAX, Viewer, choose_language
from fulfillment.pages.schemas import (
    ProgressRead,
    RecommendedList,
    RecommendedRead,
    RevealCreate,
    RevealRead,
    UnitsRead,
)
from fulfillment.pages.service import PageService
from fulfillment.rendering import PAGE_HEADERS, PageRenderer
from kit.db import Database
from kit.errors import NotFound, Unavailable
from kit.public_keys import decode_public_key

router = APIRouter(tags=["buyer's page"])

_ASSET_CACHE = "public, max-age=31536000, immutable"
_HTML: dict[str, Any] = {"content": {"text/html": {}}}


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _pages(request: Request) -> PageService:
    return cast(PageService, request.app.state.pages)


def _renderer(request: Request) -> PageRenderer:
    return cast(PageRenderer, request.app.state.renderer)


Db = Annotated[Database, Depends(_db)]
Pages = Annotated[PageService, Depends(_pages)]
Renderer = Annotated[PageRenderer, Depends(_renderer)]


@router.get(
    "/d/{token}",
    response_class=HTMLResponse,
    responses={
        404: _HTML,
        410: {**_HTML, "description": "The link has ended"},
        429: {**_HTML, "description": "Too many wrong links from this address"},
        503: _HTML,
    },
    summary="The buyer's page",
)
async def show_page(
    token: str,
    request: Request,
    db: Db,
    pages: Pages,
    renderer: Renderer,
    lang: Annotated[
        str | None, Query(max_length=20, description="zh or en; else Accept-Language decides")
    ] = None,
    part: Annotated[int, Query(ge=1, le=PART_MAX, description="100 units of each line")] = 1,
    accept_language: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> HTMLResponse:
    """The order, its lines and masked codes. A code itself is never in this page."""
    language = choose_language(lang, accept_language, "")
    try:
        with noting_misses(request):
            async with db.read() as tx:
                page = await pages.open(tx, token, part=part)
    except (TooManyGuesses, PageNotFound, Unavailable) as problem:
        return show_problem(problem, renderer, language)
    language = choose_language(lang, accept_language, page.request.locale)
    return HTMLResponse(renderer.page(page, language), headers=PAGE_HEADERS)


@router.get("/d/{token}/progress", dependencies=COUNTING, summary="The state of each line")
async def read_progress(token: str, db: Db, pages: Pages, response: Response) -> ProgressRead:
    """What a page that still waits asks every now and then."""
    response.headers.update(PAGE_HEADERS)
    async with db.read() as tx:
        return ProgressRead.from_domain(await pages.open(tx, token))


@router.get("/d/{token}/units", dependencies=COUNTING, summary="The units of one part")
async def list_units(
    token: str,
    db: Db,
    pages: Pages,
    response: Response,
    part: Annotated[int, Query(ge=1, le=PART_MAX, description="100 units of each line")] = 1,
) -> UnitsRead:
    """For a page that opens everything: what the other parts hold."""
    response.headers.update(PAGE_HEADERS)
    async with db.read() as tx:
        return UnitsRead.from_domain(await pages.open(tx, token, part=part))


@router.get(
    "/d/{token}/recommendations", dependencies=COUNTING, summary="What goes well with the order"
)
async def list_recommendations(
    token: str, db: Db, pages: Pages, response: Response
) -> RecommendedList:
    """Products of the shop that are on sale and in stock; empty when nobody can say just now."""
    response.headers.update(PAGE_HEADERS)
    found = await pages.recommend(db, token)
    return RecommendedList(items=[RecommendedRead.from_domain(each) for each in found])


@router.post(
    "/d/{token}/units/{unit_id}/reveal",
    dependencies=COUNTING,
    summary="Open one code in this browser",
)
async def reveal_unit(
    token: str,
    unit_id: UUID,
    body: RevealCreate,
    request: Request,
    response: Response,
    db: Db,
    pages: Pages,
    user_agent: Annotated[str | None, Header(include_in_schema=False)] = None,
    lockstock_proof: Annotated[
        str | None, Header(description="Where the shop wants a one-time code: what proves it.")
    ] = None,
) -> RevealRead:
    """The code in a box that only the asking browser can open. The view is logged before."""
    response.headers.update(PAGE_HEADERS)
    viewer = Viewer.seen_as(address_of(request), user_agent)
    public_key = decode_public_key(body.recipient_public_key)
    return RevealRead.from_domain(
        await pages.reveal(db, token, unit_id, public_key, viewer, lockstock_proof)
    )


@router.get("/assets/{digest}/{name}", include_in_schema=False)
async def read_asset(digest: str, name: str, renderer: Renderer) -> Response:
    """Script, style and icon of the page, kept by browsers for ever under this address."""
    path = f"/assets/{digest}/{name}"
    for asset in renderer.assets.values():
        if asset.path == path:
            headers = {"Cache-Control": _ASSET_CACHE}
            return Response(asset.content, media_type=asset.media_type, headers=headers)
    raise NotFound
