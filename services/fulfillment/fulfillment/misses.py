"""The entrances of buyers: wrong links are counted by the address they come from, and whoever opens
no page is shown why.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from fulfillment.guesses import Guesses, TooManyGuesses
from fulfillment.links import PageEnded, PageNotFound
from fulfillment.pages.domain import Language
from fulfillment.rendering import PAGE_HEADERS, PageRenderer
from kit.addresses import Address, caller_address
from kit.errors import Unavailable

_BUSY_SECONDS = 2


def address_of(request: Request) -> Address | None:
    """Who calls, behind the proxies that are ours."""
    return caller_address(
        request.client.host if request.client else None,
        request.headers.getlist("x-forwarded-for"),
        request.app.state.trusted_proxies,
    )


@contextmanager
def noting_misses(request: Request) -> Iterator[None]:
    """Raises TooManyGuesses instead of PageNotFound when the address has used up its allowance."""
    try:
        yield
    except PageEnded:
        raise
    except PageNotFound:
        cast(Guesses, request.app.state.guesses).miss(address_of(request))
        raise


def _noting(request: Request) -> Iterator[None]:
    with noting_misses(request):
        yield


COUNTING = [Depends(_noting)]
"""For routes that answer JSON."""


def show_problem(
    problem: TooManyGuesses | PageNotFound | Unavailable, renderer: PageRenderer, language: Language
) -> HTMLResponse:
    """What a browser is shown instead of a page."""
    headers = dict(PAGE_HEADERS)
    match problem:
        case TooManyGuesses():
            name, status = "too_many", 429
            headers["Retry-After"] = str(problem.retry_after_seconds)
        case PageEnded():
            name, status = "ended", 410
        case PageNotFound():
            name, status = "not_found", 404
        case _:
            name, status = "busy", 503
            headers["Retry-After"] = str(_BUSY_SECONDS)
    return HTMLResponse(renderer.notice(name, language), status_code=status, headers=headers)
