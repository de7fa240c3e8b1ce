"""The reports page. No script, no other host: a form takes an API key into a session."""

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Cookie, Depends, Form, Header, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from kit.addresses import Address, caller_address
from kit.auth import Callers
from kit.clock import Clock
from kit.db import Database
from kit.errors import Denied, Limited, NotFound, Unauthenticated
from ledger.pages.domain import DAYS, Choice, choose_language
from ledger.pages.service import PageService
from ledger.periods import Period, UnknownZone, read_zone
from ledger.rendering import PAGE_HEADERS, PageRenderer
from ledger.sessions import LASTS, Session, Sessions

router = APIRouter(tags=["reports page"], include_in_schema=False)
COOKIE = "lockstock-reports"
PATH = "/reports"
_ASSET_CACHE = "public, max-age=31536000, immutable"


def _state(request: Request) -> Any:
    return request.app.state


def _address(request: Request) -> Address | None:
    return caller_address(
        request.client.host if request.client else None,
        request.headers.getlist("x-forwarded-for"),
        request.app.state.trusted_proxies,
    )


State = Annotated[Any, Depends(_state)]
Asked = Annotated[str | None, Query(max_length=20)]


@router.get(PATH, response_class=HTMLResponse)
async def show_reports(
    request: Request,
    state: State,
    lang: Asked = None,
    days: Annotated[int, Query()] = 30,
    zone: Annotated[str | None, Query(max_length=60)] = None,
    currency: Annotated[str | None, Query(max_length=3)] = None,
    accept_language: Annotated[str | None, Header()] = None,
    cookie: Annotated[str | None, Cookie(alias=COOKIE)] = None,
) -> HTMLResponse:
    """The board of the session's merchant; without a session, the form that begins one."""
    language = choose_language(lang, accept_language)
    renderer = cast(PageRenderer, state.renderer)
    pages, clock = cast(PageService, state.pages), cast(Clock, state.clock)
    zone = zone or ("Asia/Shanghai" if language.value == "zh" else "UTC")
    days = days if days in DAYS else 30
    try:
        session = cast(Sessions, state.sessions).read(cookie or "", clock.now())
        period = Period.last_days(days, clock.now(), read_zone(zone))
        choice = Choice(language, days, zone, currency)
        async with cast(Database, state.db).read() as tx:
            merchant_id = await pages.check(tx, session, _address(request))
            board = await pages.board(tx, merchant_id, period, choice)
    except Unauthenticated:
        return _html(renderer.entrance(language, is_wrong=False), 401)
    except UnknownZone:
        return _html(renderer.entrance(language, is_wrong=False), 422)
    return _html(renderer.board(board, choice))


@router.post(PATH + "/session", response_class=HTMLResponse)
async def begin_session(
    request: Request,
    state: State,
    api_key: Annotated[str, Form(max_length=200)],
    lang: Annotated[Literal["en", "zh"], Form()] = "en",
) -> Response:
    """A wrong key shows the form again and says no more than that."""
    language = choose_language(lang, None)
    callers, clock = cast(Callers, state.callers), cast(Clock, state.clock)
    try:
        who = await callers.identify(f"Bearer {api_key.strip()}", None, lambda: _address(request))
        who.require("ledger:read")
        session = Session(who.id, who.merchant)
    except (Unauthenticated, Denied, Limited) as error:
        page = cast(PageRenderer, state.renderer).entrance(language, is_wrong=True)
        if not isinstance(error, Limited):
            return _html(page, 401)
        answer = _html(page, 429)
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
        return answer
    begun = RedirectResponse(f"{PATH}?lang={language.value}", status_code=303)
    begun.set_cookie(
        COOKIE,
        cast(Sessions, state.sessions).issue(session, clock.now()),
        max_age=int(LASTS.total_seconds()),
        path=PATH,
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )
    begun.headers.update(PAGE_HEADERS)
    return begun


@router.post(PATH + "/session/end")
async def end_session(request: Request) -> Response:
    answer = RedirectResponse(PATH, status_code=303)
    answer.delete_cookie(
        COOKIE, path=PATH, httponly=True, samesite="strict", secure=_is_secure(request)
    )
    return answer


@router.get(PATH + "/assets/{digest}/{name}")
async def read_asset(digest: str, name: str, state: State) -> Response:
    """Style and icon, kept by browsers for ever under this address."""
    path = f"{PATH}/assets/{digest}/{name}"
    for asset in cast(PageRenderer, state.renderer).assets.values():
        if asset.path == path:
            headers = {"Cache-Control": _ASSET_CACHE}
            return Response(asset.content, media_type=asset.media_type, headers=headers)
    raise NotFound


def _is_secure(request: Request) -> bool:
    """True unless the browser itself came without TLS."""
    proto = request.headers.get("x-forwarded-proto", request.url.scheme)
    return proto == "https"


def _html(page: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(page, status_code=status, headers=PAGE_HEADERS)
