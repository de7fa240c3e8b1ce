"""Wrong links at the buyers' entrances are counted by the address they come from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from fastapi import Depends, Request

from fulfillment.guesses import Guesses
from fulfillment.pages.domain import PageEnded, PageNotFound
from kit.addresses import Address, caller_address


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
